/** @import { Open } from '../types.js' */
import { withQuery } from './http.js';

/** @type {Open} */
export const openWebSocket = ({ url, token, after, client, platform, onFrame, onClose }) => {
  const target = withQuery(url.replace(/^http/, 'ws'), { after, client });
  /** @type {WebSocket} */
  let socket;
  const close = () => {
    onFrame = onClose = () => { };
    socket?.close();
  };
  try {
    socket = new platform.WebSocket(target.href, ['agent-events.v1', `bearer.${token()}`]);
    socket.onmessage = ({ data }) => {
      try {
        onFrame(JSON.parse(data), data.length);
      } catch {
        onClose({});
      }
    };
    socket.onclose = ({ code }) => onClose({ code });
  } catch {
    // A token that is no subprotocol is none of the service's.
    queueMicrotask(() => onClose({ code: 4401 }));
  }
  return {
    close,
    send: frame => { if (socket.readyState === 1) socket.send(JSON.stringify(frame)); },
  };
};
