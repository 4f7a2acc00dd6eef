// The events of this place, in order and each once, over one connection per browser. Knows their ids, not their meaning.
//
// A visible frame asks for a lock that all tabs share. Who holds it streams (a fetch, since EventSource sends no
// Authorization) and tells the others over a BroadcastChannel; everyone keeps a log, so that a tab which comes late is
// given what it missed, and the next holder goes on with Last-Event-ID. Where a browser has no locks, a visible tab streams.
import { locked, refusal, type Api } from "./api";

export type Event = { id: number; kind: string; data: any };
// What tabs tell each other: events that follow `after`, a question for all since an id, the line's state, a lost session.
type Shared = { place: unknown; after?: number; events?: Event[]; since?: number; online?: boolean; lost?: true };

const FIRST_WAIT = 800; // ms, doubled with each failure
const LONGEST_WAIT = 30_000;
const SILENCE = 40_000; // ms; the server sends a heartbeat every 15 s
const GRACE = 1_500; // ms; a shorter gap is not worth a word

export class Stream {
  onEvent: (event: Event) => void = () => {};
  onLine: (online: boolean) => void = () => {};
  onLost: () => void = () => {};
  private log: Event[] = [];
  private last = 0;
  private stopper: AbortController | undefined;
  private hurry: () => void = () => {};
  private readonly channel: BroadcastChannel | undefined;
  private away: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly api: Api) {
    if (api.store.shared) {
      this.channel = new BroadcastChannel(this.name);
      this.channel.onmessage = ({ data }: MessageEvent<Shared>) => this.hear(data);
    }
    addEventListener("online", () => this.hurry());
  }

  // Whether this frame wants events now: it is open and can be seen.
  want(wanted: boolean): void {
    if (wanted === !!this.stopper) return;
    if (!wanted) {
      this.stopper!.abort();
      this.stopper = undefined;
      return;
    }
    const { signal } = (this.stopper = new AbortController());
    this.tell({ since: this.last });
    const task = () => this.run(signal);
    (this.channel ? locked(this.name, task, signal) : task()).catch(() => {}); // only "aborted" ends it
  }

  // The session was lost: everything is read again from its start, in the other tabs too.
  restart(): void {
    this.tell({ lost: true }); // before our own question for what was missed
    this.forget();
  }

  private forget(): void {
    this.log = [];
    this.last = 0;
    this.onLost();
    if (!this.stopper) return;
    this.want(false); // the connection belonged to the old session
    this.want(true);
  }

  private get name(): string {
    return `frontdesk:events:${this.api.site}@${this.api.origin}`;
  }

  private tell(what: Omit<Shared, "place">): void {
    this.channel?.postMessage({ place: this.api.place, ...what });
  }

  private hear({ place, after, events, since, online, lost }: Shared): void {
    if (lost) this.forget();
    if (lost || place !== this.api.place) return;
    if (since !== undefined) {
      const missed = this.log.filter((event) => event.id > since);
      if (missed.length) this.tell({ after: since, events: missed });
    }
    if (online !== undefined) this.onLine(online);
    if (events && after! > this.last) this.tell({ since: this.last }); // a gap: ask for what is between
    else for (const event of events ?? []) this.take(event);
  }

  // `mine`: from this tab's own connection, where "cleared" with a lower id means that the server's clock went back.
  private take(event: Event, mine = false): void {
    const cleared = event.kind === "cleared";
    if (event.id <= this.last && !(mine && cleared)) return; // another tab told it already
    this.last = event.id;
    if (cleared) this.log = [];
    this.log.push(event);
    this.onEvent(event);
  }

  private line(online: boolean): void {
    const say = () => (this.onLine(online), this.tell({ online }));
    if (!online) this.away ??= setTimeout(say, GRACE);
    else {
      clearTimeout(this.away);
      this.away = undefined;
      say();
    }
  }

  private async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      let wait = 0;
      try {
        wait = await this.read(signal, () => (failures = 0));
      } catch {
        // cut off: go on below
      }
      if (signal.aborted) break;
      this.line(false);
      const back = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures) * (0.5 + Math.random() / 2);
      await this.pause(Math.max(wait * 1000, back), signal);
    }
    clearTimeout(this.away);
    this.away = undefined;
  }

  private pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((done) => {
      this.hurry = done;
      setTimeout(done, ms);
      signal.addEventListener("abort", () => done());
    });
  }

  // Reads until the connection ends. Returns the seconds that the server asks us to stay away.
  private async read(signal: AbortSignal, connected: () => void): Promise<number> {
    const token = this.api.store.get();
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), SILENCE);
    try {
      const answer = await fetch("/widget/api/events", {
        headers: { ...this.api.bearer(), ...(this.last ? { "Last-Event-ID": `${this.last}` } : {}) },
        cache: "no-store",
        signal: AbortSignal.any([signal, silent.signal]),
      });
      if (answer.status === 401) await this.api.renew(token);
      if (!answer.ok) return (await refusal(answer)).retryAfter;
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      this.line(true);
      for (let rest = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) return 0;
        connected();
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE);
        const parts = (rest + value).split(/\r?\n\r?\n/);
        rest = parts.pop()!;
        const events = parts.map(parse).filter((event) => event !== null);
        if (events.length) this.tell({ after: this.last, events });
        events.forEach((event) => this.take(event, true));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function parse(part: string): Event | null {
  const field: Record<string, string> = {};
  for (const line of part.split(/\r?\n/)) {
    const match = /^(\w+): ?(.*)$/.exec(line);
    if (match) field[match[1]!] = (match[1]! in field ? field[match[1]!] + "\n" : "") + match[2]!;
  }
  return field.data ? { id: Number(field.id), kind: field.event!, data: JSON.parse(field.data) } : null;
}
