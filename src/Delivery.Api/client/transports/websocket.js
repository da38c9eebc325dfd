/** @import { Link, LinkOptions } from '../types.js' */
import { withQuery } from './http.js';

/**
 * @param {LinkOptions} options
 * @returns {Link}
 */
export function openWebSocket({ url, token, after, client, platform, onFrame, onClose }) {
  const target = withQuery(url, { after, client });
  target.protocol = target.protocol === 'https:' ? 'wss:' : 'ws:';
  /** @type {WebSocket|undefined} */
  let socket;
  try {
    socket = new platform.WebSocket(target.href, ['agent-events.v1', `bearer.${token()}`]);
  } catch {
    // A token that is no valid subprotocol is none of the service's.
    queueMicrotask(() => onClose({ code: 4401 }));
    return { close() { onClose = () => { }; } };
  }

  const close = () => {
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
      socket = undefined;
    }
  };
  socket.onmessage = ({ data }) => {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      close();
      onClose({});
      return;
    }

    onFrame(frame, data.length);
  };
  socket.onclose = ({ code }) => onClose({ code });
  return {
    close,
    send: frame => socket?.readyState === 1 && socket.send(JSON.stringify(frame)),
  };
}
