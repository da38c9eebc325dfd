/**
 * Which transport to use. Two failures in a row lead to the next, and from the last to the first, since then it was not the
 * transport. A better one is tried after 5 minutes, ever more seldom.
 */
export const ladder = (rungs = ['']) => {
  let at = 0, failures = 0, trials = 0, isDoubtful = false;
  const failed = () => {
    if (++failures < 2) return;
    failures = 0;
    at = (at + 1) % rungs.length;
  };
  /** The network is another, or none: from the top, where one more failure is enough. */
  const restart = () => {
    if (at) failures = 1;
    at = 0;
  };
  return {
    rung: () => rungs[at],
    /** Each better one in turn. */
    better: () => rungs[trials % at],
    /** Milliseconds until one is to be tried; NaN at the top. */
    patience: () => !at ? NaN : isDoubtful ? 1_000 : Math.min(5 * 2 ** trials, 60) * 60_000,
    worked(rung = '') {
      at = rungs.indexOf(rung);
      failures = 0;
      if (!at) {
        trials = 0;
        isDoubtful = false;
      }
    },
    failed,
    trialFailed() {
      isDoubtful = false;
      trials++;
    },
    /** Nothing answered: it is cut off, or nobody is there. Then what works at last is no reason to stay below. */
    unreachable() {
      isDoubtful = true;
      at < rungs.length - 1 ? failed() : restart();
    },
    restart,
  };
};
