/** The one state of the page: a frozen map that is replaced, and those who watch it change. */

export function createState(initial) {
  let state = Object.freeze({ ...initial });
  const watchers = new Set();

  return {
    get: () => state,

    /** Put some values in place of those of before, and tell the watchers of what changed. */
    set(changed) {
      const before = state;
      state = Object.freeze({ ...state, ...changed });
      for (const watcher of [...watchers]) watcher(state, before);
    },

    /** Call `then` with the state now, and whenever one of the values of `pick(state)` changes. */
    watch(pick, then) {
      let seen = null;
      const watcher = (now) => {
        const picked = pick(now);
        if (seen !== null && picked.every((value, i) => Object.is(value, seen[i]))) return;
        seen = picked;
        then(now);
      };
      watchers.add(watcher);
      watcher(state);
    },
  };
}
