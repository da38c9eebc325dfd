import { open } from '../../../src/Delivery.Api/client/client.js';
import { Browser, jwt } from './browser.js';
import { Clock } from './clock.js';
import { Server } from './server.js';

/** A browser of several tabs on a model of the service. */
export function world() {
  const clock = new Clock();
  const server = new Server(clock);
  const browser = new Browser(clock);
  const tabs = [];
  return {
    clock, server, browser, tabs,
    async open(options = {}, user = 'alice') {
      const tab = browser.tab(server.network ?? { connect: (...given) => server.connect(...given), fetch: (...given) => server.fetch(...given) });
      const events = open({ url: 'https://example.test/', token: jwt({ sub: user }), after: '0', ...options }, tab.platform);
      const opened = { tab, events, seen: [], resets: [], count: transport => server.attempts.filter(attempt => attempt.tab === tab && attempt.transport === transport).length };
      events.on('*', options.handler ?? (event => { opened.seen.push(event.cursor); }));
      events.on('reset', reset => { opened.resets.push(reset); });
      tabs.push(opened);
      await clock.pass(1);
      return opened;
    },
    cursors: (from, to) => Array.from({ length: to - from + 1 }, (_, index) => server.cursor(from + index)),
  };
}
