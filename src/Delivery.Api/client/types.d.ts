/// <reference lib="esnext.disposable" />
/** The shapes that the modules agree on. The wire: PROTOCOL.md. */

import type { browser } from './platform.js';

/** An event of an agent (PROTOCOL.md, section 3). */
export interface AgentEvent {
  /** The cursor just after this event. */
  cursor: string;
  id: string;
  type: string;
  time: string;
  thread: string;
  run: string;
  /** The run's events from 1. */
  sequence: number;
  data: any;
}

/** A frame of the server (PROTOCOL.md, section 6). */
export interface Frame {
  type: string;
  cursor?: string | null;
  after?: string | null;
  head?: string | null;
  events?: AgentEvent[];
  resume?: string;
  reason?: string;
  degraded?: string[];
  /** In seconds. */
  heartbeat?: number;
}

/** What came before is not continued: discard what you had. `cursor` is where reading goes on. */
export interface Reset { reason: string; cursor: string }

export interface State {
  status: 'connecting' | 'replaying' | 'live' | 'degraded' | 'offline' | 'closed';
  /** What the service lacks at the moment: 'bus' (events may be 2 s late), 'log' (missed events wait). */
  degraded: string[];
  /** Events that are still to be handled; null where that is not known. */
  behind: number | null;
  /** When the next attempt to connect begins, in epoch milliseconds. */
  retryAt: number | null;
  /** Why it is closed: 'token', 'refused', 'replaced', 'defect'; null where the application closed it. */
  reason: string | null;
  transport: 'websocket' | 'sse' | 'poll' | null;
  /** Whether the connection is this tab's. */
  leader: boolean;
}

/** Keeps a cursor between visits. */
export interface CursorStore {
  load(): string | null | Promise<string | null>;
  save(cursor: string): void | Promise<void>;
}

/** A token, or what asks for one: again whenever it was refused, and before it ends. */
export type TokenProvider = string | (() => string | Promise<string>);

export interface Options {
  /** Base of the service; default '/'. */
  url?: string;
  token: TokenProvider;
  /** The server keeps this client's acks; reading starts after its last where nothing else is known. */
  client?: string;
  /** Where to begin, whatever the store says. '0': with the oldest kept event. */
  after?: string;
  store?: CursorStore;
  /** One connection for all tabs of a browser that have the same url and identity (default); a string names it. */
  share?: boolean | string;
  /** Closes. */
  signal?: AbortSignal;
}

/** Listens; an event is done when all who listen have returned. The result ends it. */
export interface Listen {
  (type: 'state', run: (state: State) => void): () => void;
  (type: 'error', run: (failure: { error: unknown; event: AgentEvent | null }) => void): () => void;
  (type: 'reset', run: (reset: Reset) => any): () => void;
  (type: 'events', run: (batch: AgentEvent[]) => any): () => void;
  (type: string, run: (event: AgentEvent) => any): () => void;
}

export interface StartedRun { run: string; thread: string; status: string; cursor: string }

export interface Commands {
  /** Safe to repeat with the same `key`; a fresh one unless given. */
  startRun(thread: string, input: string, options?: { agent?: string; key?: string }): Promise<StartedRun>;
  /** Safe to repeat, from any device. */
  cancel(run: string): Promise<any>;
}

/** A user's events, each once and in order. In `for await` an event is done when the next one is asked for. */
export interface AgentEvents extends AsyncIterable<AgentEvent>, Commands {
  readonly state: Readonly<State>;
  /** After the last event that is done, or null. */
  readonly cursor: string | null;
  /** Resolves when a connection is there, rejects when it was closed before. */
  readonly ready: Promise<void>;
  on: Listen;
  /** Connects now; also after it was closed for a reason. */
  reconnect(): void;
  close(): void;
  /** Closes, and waits for what is being handled. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type Platform = typeof browser;

// Between the modules.

export interface Close { code?: number; retry?: number; unreachable?: boolean }

export interface LinkOptions {
  url: string;
  token(): string;
  after: string | null;
  client?: string;
  platform: Platform;
  onFrame(frame: Frame, size: number): void;
  /** Once, unless it was closed from here. */
  onClose(close: Close): void;
}

export interface Link { close(): void; send?(frame: object): void }
export type Open = (options: LinkOptions) => Link;
/** Null: there was no answer. */
export type Read = (options: LinkOptions, init: RequestInit, after: string | null, wait?: number) => Promise<Response | null>;

export interface Tokens {
  get(): Promise<string>;
  renew(): Promise<string>;
  /** Whether it had just been got, so that another is hardly better. */
  refuse(token: string): boolean;
}

export interface LinkState {
  status: 'connecting' | 'open' | 'offline' | 'closed';
  retryAt?: number;
  reason?: string;
  transport?: string;
}

export interface ConnectionOptions { platform: Platform; url: string; client?: string; tokens: Tokens; rungs: string[] }

export interface Owner {
  /** The cursor to read on from. */
  from(): string | null;
  /** Whether the connection is still wanted, now that it is known whose token it is. */
  admits(token: string): Promise<boolean>;
  onFrame(frame: Frame, size: number): void;
  onState(state: LinkState): void;
}

export interface Connection {
  start(): void;
  stop(): void;
  /** False: there is no connection. */
  send(frame: object): boolean;
  reread(): void;
  wake(isOtherNetwork: boolean): void;
}

export type Place = { event?: AgentEvent; weight?: number; reset?: Reset; cursor?: string | null; reached?(): void };
/** `had`: how many of the first that wait a handler of batches has had. */
export interface Handler { type: string; had: number; run(value: any): any }

export interface Listener {
  /** The last event that all have handled. */
  cursor(cursor: string): void;
  /** It was full, and is no more. */
  room(): void;
  error(failure: { error: unknown; event: any }): void;
}

export interface LeaderState extends LinkState { degraded: string[]; silence: number }

export interface TabRole {
  lead(): void;
  follow(): void;
  frame(frame: Frame, size: number): void;
  state(state: LeaderState): void;
}

export interface Tabs {
  isLeader(): boolean;
  join(): void;
  leave(): void;
  /** The leader shares a frame, or how it is. */
  post(message: { frame?: Frame; size?: number; state?: LeaderState }): void;
  wake(): void;
}

export interface ReadingOptions { platform: Platform; url: string; client?: string; tokens: Tokens; share: boolean | string }

/** What a reading tells of, and hands on. */
export interface Reader {
  events(events: AgentEvent[], size: number): void;
  place(place: Place): void;
  changed(): void;
  closed(reason: string): void;
}

// The projection.

export interface TextStep { kind: 'thinking' | 'message'; text: string; streaming: boolean }

export interface ToolStep {
  kind: 'tool';
  id: string;
  name: string;
  arguments: any;
  state: 'running' | 'succeeded' | 'failed';
  result: any;
  /** 'interrupted': the run ended, or was taken over, while it ran. */
  error: string | null;
  startedAt: string | null;
  endedAt: string | null;
}

export type Step = TextStep | ToolStep
  /** Another worker took the run over. */
  | { kind: 'resumed'; attempt: number }
  /** An event of a type that the pipeline does not know. */
  | { kind: 'custom'; type: string; data: any };

export interface Run {
  readonly id: string;
  readonly thread: string;
  readonly agent: string | null;
  readonly input: string | null;
  readonly status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly steps: readonly Step[];
  /** Its messages so far, an empty line between them. */
  readonly text: string;
  /** The latest thought. */
  readonly thinking: string | null;
  readonly result: any;
  readonly error: string | null;
  readonly reason: string | null;
  readonly requestedAt: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** How often a worker began it. */
  readonly attempts: number;
  /** Of its last event. */
  readonly sequence: number;
  /** Some of its events are missing: the oldest are no longer kept. */
  readonly incomplete: boolean;
}

/** `runs`: their ids, in the order of their first events. */
export interface Thread { readonly id: string; readonly runs: readonly string[] }

export interface Projection { readonly runs: ReadonlyMap<string, Run>; readonly threads: ReadonlyMap<string, Thread> }

export type Applier = (run: Run, data: any, event: AgentEvent) => Partial<Run>;
