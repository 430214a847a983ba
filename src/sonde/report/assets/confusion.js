// Right and wrong, token by token: what a threshold makes of scores whose truth is known.
sonde.confusion = (() => {
  const NAMES = { tp: "true positive", fp: "false positive", fn: "false negative", tn: "true negative" };
  function kind(score, truth, threshold) {
    if (score === null || truth === null || truth === undefined) return null;
    if (score >= threshold) return truth ? "tp" : "fp";
    return truth ? "fn" : "tn";
  }
  function tally(kinds) {
    const counts = { tp: 0, fp: 0, fn: 0, tn: 0 };
    for (const one of kinds) if (one !== null) counts[one] += 1;
    return counts;
  }
  const share = (part, whole) => (whole ? (part / whole).toFixed(2).replace(/^0/, "") : "–");
  function rates({ tp, fp, fn, tn }) {
    const recall = share(tp, tp + fn), precision = share(tp, tp + fp);
    const both = tp + fn && tn + fp ? share(tp / (tp + fn) / 2 + tn / (tn + fp) / 2, 1) : "–";
    return `recall ${recall}, precision ${precision}, balanced accuracy ${both} in the texts shown`;
  }
  function found({ tp, fp, fn }) {
    return `${tp} of ${tp + fn} found, ${fp} false alarm${fp === 1 ? "" : "s"}`;
  }
  return { NAMES, kind, tally, rates, found };
})();
