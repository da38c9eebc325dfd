/** Which transport: the next after two failures in a row; after the last the first, since then it was not the transport. */
export const ladder = (rungs = ['']) => {
  let at = 0, failures = 0, trials = 0, isDoubtful = false;
  const failed = () => {
    if (++failures < 2) return;
    failures = 0;
    at = (at + 1) % rungs.length;
  };
  /** From the top, where one more failure is enough. */
  const restart = () => {
    if (at) failures = 1;
    at = 0;
  };
  return {
    failed, restart,
    rung: () => rungs[at],
    /** Each better one in turn. */
    better: () => rungs[trials % at],
    /** In ms; NaN at the top. */
    patience: () => at ? isDoubtful ? 1_000 : Math.min(5 * 2 ** trials, 60) * 60_000 : NaN,
    worked(rung = '') {
      at = rungs.indexOf(rung);
      failures = 0;
      if (!at) {
        trials = 0;
        isDoubtful = false;
      }
    },
    trialFailed() {
      isDoubtful = false;
      trials++;
    },
    /** It is cut off, or nobody is there: then what works at last is no reason to stay below. */
    unreachable() {
      isDoubtful = true;
      at < rungs.length - 1 ? failed() : restart();
    },
  };
};
