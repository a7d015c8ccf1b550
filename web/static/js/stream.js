// @ts-check
// The live stream: one websocket for all topics of a tab, exact catch-up by seq, and polling where sockets are refused.

/**
 * @typedef {{seq: number, kind: string, message: string, metadata: any, created_at: string, id: string}} StreamEvent
 * @typedef {Record<string, any> & {id: string, status: string}} LiveTask
 * @typedef {object} Reader
 * @property {(events: StreamEvent[]) => void} [onEvents] every event above `after`, once, in order
 * @property {(task: LiveTask) => void} [onTask] a task as it is now, without events and prompt
 * @property {(id: string) => void} [onDeleted] the task is gone: the topic's own, or any of the board's
 * @property {() => void} [onResync] something may have been missed: read the whole again
 * @property {(status: number, detail: string) => void} [onRefused]
 * @typedef {{reader: Reader, after: number | undefined}} Subscription
 * @typedef {"connecting" | "live" | "polling" | "offline"} State
 */

const FIRST_DELAY = 500;
const LAST_DELAY = 10_000;
const PING_EVERY = 20_000;
// The server beats every 10 s: this long without a word means the line is dead.
const SILENCE = 26_000;
const POLL_EVERY = 3_000;
const REFUSED_BEFORE_POLLING = 3;

export class Stream {
  /** @param {string} address of the websocket */
  constructor(address) {
    this.address = address;
    /** @type {Map<string, Subscription>} */
    this.subscriptions = new Map();
    /** @type {Set<(state: State, since: number, retryAt: number) => void>} */
    this.watchers = new Set();
    /** @type {State} */
    this.state = "connecting";
    this.heardAt = Date.now();
    this.retryAt = 0;
    this.failures = 0;
    this.everOpened = false;
    this.ended = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.timer = 0;
    this.poller = 0;
    this.polledTo = "";
    setInterval(() => this.#tend(), 5_000);
    setInterval(() => this.#say({ ping: Date.now() }), PING_EVERY);
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#hurry());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
  }

  open() {
    this.ended = false;
    this.#connect();
  }

  close() {
    this.ended = true;
    clearTimeout(this.timer);
    clearInterval(this.poller);
    this.poller = 0;
    this.socket?.close();
  }

  /**
   * Read a topic: `board`, or `task:<id>` with the last seq already shown. Subscribing again replaces the reader.
   * @param {string} topic
   * @param {Reader} reader
   * @param {number} [after]
   * @returns {() => void} ends it
   */
  subscribe(topic, reader, after) {
    this.subscriptions.set(topic, { reader, after });
    this.#say({ sub: [this.#wish(topic)] });
    return () => {
      this.subscriptions.delete(topic);
      this.#say({ unsub: [topic] });
    };
  }

  /**
   * @param {(state: State, heardAt: number, retryAt: number) => void} watcher called on every change, and now
   */
  watch(watcher) {
    this.watchers.add(watcher);
    watcher(this.state, this.heardAt, this.retryAt);
  }

  /** @param {string} topic */
  #wish(topic) {
    const after = this.subscriptions.get(topic)?.after;
    return after === undefined ? { topic } : { topic, after };
  }

  /** @param {State} state */
  #become(state) {
    this.state = state;
    for (const watcher of this.watchers) watcher(state, this.heardAt, this.retryAt);
  }

  /** @param {unknown} message */
  #say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #connect() {
    clearTimeout(this.timer);
    const open = this.socket && this.socket.readyState <= WebSocket.OPEN;
    if (this.ended || open) return;
    const socket = new WebSocket(this.address);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.failures = 0;
      this.heardAt = Date.now();
      clearInterval(this.poller);
      this.poller = 0;
      if (this.subscriptions.size) this.#say({ sub: [...this.subscriptions.keys()].map((topic) => this.#wish(topic)) });
      // Between the page and this moment, or while away, tasks may have changed; events catch up by their seq.
      for (const { reader } of this.subscriptions.values()) reader.onResync?.();
      this.everOpened = true;
      this.#become("live");
    };
    socket.onmessage = (message) => {
      this.heardAt = Date.now();
      this.#take(JSON.parse(String(message.data)));
    };
    socket.onclose = (closing) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.#lost(opened, closing.code);
    };
  }

  /**
   * @param {boolean} opened
   * @param {number} code
   */
  #lost(opened, code) {
    if (this.ended) return;
    if (code === 1008) {
      location.assign("/login");
      return;
    }
    if (!opened) this.failures += 1;
    const restart = code === 1012;
    const delay = restart ? FIRST_DELAY / 2 : Math.min(LAST_DELAY, FIRST_DELAY * 2 ** Math.min(this.failures, 6));
    const wait = delay * (0.6 + Math.random() * 0.4);
    this.retryAt = Date.now() + wait;
    this.timer = window.setTimeout(() => this.#connect(), wait);
    if (this.failures >= REFUSED_BEFORE_POLLING && !this.poller) {
      this.poller = window.setInterval(() => void this.#poll(), POLL_EVERY);
      void this.#poll();
    }
    if (!this.poller) this.#become(this.failures < REFUSED_BEFORE_POLLING ? "connecting" : "offline");
  }

  #hurry() {
    if (this.ended) return;
    if (!this.socket) this.#connect();
  }

  #tend() {
    if (this.socket?.readyState === WebSocket.OPEN && Date.now() - this.heardAt > SILENCE) {
      const socket = this.socket;
      this.socket = null;
      socket.close();
      this.#lost(true, 1006);
    } else if (this.state !== "live") {
      this.#become(this.state);
    }
  }

  /** @param {any} frame */
  #take(frame) {
    if (frame.resync !== undefined) {
      const known = this.subscriptions.get(frame.topic);
      if (!known) return;
      this.#say({ sub: [this.#wish(frame.topic)] });
      known.reader.onResync?.();
    } else if (frame.error) {
      this.#refused(frame.error);
    } else if (frame.deleted) {
      this.#deleted(frame.topic);
    } else if (frame.events) {
      this.#events(frame.topic, frame.events);
    } else if (frame.task) {
      this.subscriptions.get(frame.topic)?.reader.onTask?.(frame.task);
    }
  }

  /**
   * @param {string} topic
   * @param {StreamEvent[]} events
   */
  #events(topic, events) {
    const known = this.subscriptions.get(topic);
    const last = events.at(-1);
    if (!known || !last) return;
    const after = known.after;
    const fresh = after === undefined ? events : events.filter((event) => event.seq > after);
    known.after = Math.max(after ?? 0, last.seq);
    if (fresh.length) known.reader.onEvents?.(fresh);
  }

  /** A task deleted before its topic was read is known only by being unknown. @param {{topic: string, status: number, detail: string}} error */
  #refused({ topic, status, detail }) {
    if (status === 404 && topic?.startsWith("task:")) this.#deleted(topic);
    else this.subscriptions.get(topic)?.reader.onRefused?.(status, detail);
  }

  /** @param {string} topic */
  #deleted(topic) {
    const known = this.subscriptions.get(topic);
    this.subscriptions.delete(topic);
    known?.reader.onDeleted?.(topic.slice(5));
    this.subscriptions.get("board")?.reader.onDeleted?.(topic.slice(5));
  }

  /** The same news by plain requests, as long as no socket opens. */
  async #poll() {
    try {
      for (const [topic, known] of this.subscriptions) {
        if (topic === "board") await this.#pollBoard(known);
        else await this.#pollTask(topic, known);
      }
      this.heardAt = Date.now();
      this.#become("polling");
    } catch {
      this.#become("offline");
    }
  }

  /** @param {Subscription} known */
  async #pollBoard(known) {
    const tasks = (await ask("/tasks?events=0&limit=50")) ?? [];
    const seen = tasks.map((/** @type {LiveTask} */ task) => task.id + task.updated_at).join();
    if (seen !== this.polledTo) known.reader.onResync?.();
    this.polledTo = seen;
  }

  /**
   * @param {string} topic
   * @param {Subscription} known
   */
  async #pollTask(topic, known) {
    const path = `/tasks/${topic.slice(5)}`;
    const events = await ask(`${path}/events?after=${known.after ?? 0}&limit=500`);
    if (events === null) {
      this.#deleted(topic);
      return;
    }
    this.#events(topic, events);
    const task = await ask(`${path}?events=0`);
    if (task !== null) known.reader.onTask?.(task);
  }
}

/** JSON, or null for what is not there. @param {string} path */
async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) location.assign("/login");
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

const scheme = location.protocol === "https:" ? "wss" : "ws";
/** The one stream of this page. */
export const stream = new Stream(`${scheme}://${location.host}/ws`);
