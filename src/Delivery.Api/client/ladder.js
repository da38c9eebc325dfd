const soon = 5_000, minute = 60_000;

/** Which transport: the next after two failures in a row; after the last the first, since then it was not the transport. */
export const ladder = (rungs = ['']) => {
  let at = 0, failures = 0, trials = 0, wait = 5 * minute;
  const failed = () => {
    if (++failures < 2) return;
    failures = 0;
    at = (at + 1) % rungs.length;
  };
  /** The network, and no transport, was to blame: from the top, where one more failure is enough. */
  const restart = () => {
    if (at) failures = 1;
    at = 0;
    wait = soon;
  };
  return {
    rung: () => rungs[at],
    /** Each better one in turn. */
    better: () => rungs[trials % at],
    /** In ms; NaN at the top. */
    patience: () => at ? wait : NaN,
    worked(rung = '') {
      at = rungs.indexOf(rung);
      failures = 0;
      if (!at) wait = 5 * minute;
    },
    failed,
    trialFailed() {
      trials++;
      wait = Math.min(2 * wait, 60 * minute);
    },
    restart,
    /** Cut off, or nobody is there: the last one to go unanswered tells. */
    unreachable() {
      at < rungs.length - 1 ? failed() : restart();
      wait = soon;
    },
  };
};
