// In a frame, such as a notebook's, the page says how high it is.
if (parent !== window) {
  const tell = () => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    parent.postMessage({ sonde: "height", height }, "*");
  };
  // A frame outside the window is not drawn, so its observer waits: the first time is by hand.
  addEventListener("load", tell);
  new ResizeObserver(tell).observe(document.body);
}
