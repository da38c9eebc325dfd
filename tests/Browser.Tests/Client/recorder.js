// Runs in every document of a tab. What handlers were given goes to the tab's storage, where a reload leaves it.
globalThis.recorded = (kind = 'got') =>
  Array.from({ length: +(sessionStorage[kind] ?? 0) }, (_, at) => sessionStorage[`${kind}:${at}`]);

globalThis.record = (kind, value) => {
  const count = +(sessionStorage[kind] ?? 0);
  sessionStorage[`${kind}:${count}`] = value;
  sessionStorage[kind] = count + 1;
};

globalThis.take = ({ cursor, id }) => record('got', `${cursor} ${id}`);

// Connects with the client library; `events` is what it gives. Without a token: one from the test, whenever asked.
globalThis.read = async ({ store, token = () => globalThis.giveToken(), ...options }, handler = take) => {
  const { connect, ...library } = await import('/client/index.js');
  globalThis.library = library;
  globalThis.events = connect({ ...options, token, store: store && library[`${store}Store`]('test') });
  if (handler) events.on('*', handler);
  events.on('reset', ({ reason }) => record('got', `reset ${reason}`));
  events.on('state', ({ status, reason }) => record('states', reason ? `${status} ${reason}` : status));
  events.on('error', ({ error, event }) => record('errors', `${event?.cursor} ${error.message}`));
};
