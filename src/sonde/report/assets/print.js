// Older browsers keep closed details closed in print, so they are opened for it.
addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not([open])").forEach((each) => {
    each.open = true;
    each.dataset.closed = "";
  });
});
addEventListener("afterprint", () => {
  document.querySelectorAll("details[data-closed]").forEach((each) => {
    each.open = false;
    delete each.dataset.closed;
  });
});
