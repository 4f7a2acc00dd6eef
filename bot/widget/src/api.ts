// The requests to the server: session, messages, stop, feedback. Knows tokens and errors, nothing of what is shown.
import type { TokenStore } from "./store";

export type Greeting = {
  token: string;
  title: string;
  greeting: string;
  suggestions: string[];
  language: string;
  place?: unknown; // tells tabs of one browser whether they look at the same conversation
};

// A refusal by the server; its message is a sentence for the person. Status 0: the server was not reached.
export class Refused extends Error {
  constructor(
    readonly status: number,
    sentence = "",
    readonly retryAfter = 0,
  ) {
    super(sentence);
  }
}

const PATIENCE = 20_000; // ms; a request that takes longer will not come back

export async function refusal(answer: Response): Promise<Refused> {
  const error = (await answer.json().catch(() => ({})))?.error ?? {};
  const wait = Number(error.retry_after ?? answer.headers.get("Retry-After")) || 0;
  return new Refused(answer.status, error.message, wait);
}

// One at a time among the tabs of this browser; where locks are missing (plain http) or denied, just now.
export async function locked<T>(name: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  let begun = false;
  try {
    return await navigator.locks.request(name, signal ? { signal } : {}, () => {
      begun = true;
      return task();
    });
  } catch (error) {
    if (begun || signal?.aborted) throw error;
    return task();
  }
}

export class Api {
  onLost: () => void = () => {}; // the session was lost and there is another one
  place: unknown;

  constructor(
    readonly site: string,
    readonly origin: string,
    readonly language: string,
    readonly store: TokenStore,
  ) {}

  // Begins or goes on with this browser's session; its token rotates. Raises Refused.
  open(): Promise<Greeting> {
    return this.alone(() => this.session());
  }

  // `token` was refused: goes on with what another tab has got since, or makes a new session.
  async renew(token: string | null): Promise<void> {
    await this.alone(async () => {
      if (this.store.get() === token) await this.session();
    });
    this.onLost();
  }

  message(text: string, key: string): Promise<{ message: number }> {
    return this.post("messages", { text }, { "Idempotency-Key": key });
  }

  stop(): Promise<{ stopped: boolean }> {
    return this.post("stop", {});
  }

  feedback(message: number, value: number): Promise<unknown> {
    return this.post("feedback", { message, value });
  }

  bearer(): Record<string, string> {
    const token = this.store.get();
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  private alone<T>(task: () => Promise<T>): Promise<T> {
    return locked(`frontdesk:session:${this.site}@${this.origin}`, task);
  }

  private async session(): Promise<Greeting> {
    const { site, origin, language } = this;
    const greeting: Greeting = await this.send("session", { site, origin, language }, this.bearer());
    this.store.set(greeting.token);
    this.place = greeting.place;
    return greeting;
  }

  private async post<T>(path: string, body: object, headers: Record<string, string> = {}): Promise<T> {
    const token = this.store.get();
    try {
      return await this.send(path, body, { ...headers, ...this.bearer() });
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      await this.renew(token);
      return this.send(path, body, { ...headers, ...this.bearer() });
    }
  }

  private async send<T>(path: string, body: object, headers: Record<string, string>): Promise<T> {
    const answer = await fetch(`/widget/api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
    }).catch(() => {
      throw new Refused(0);
    });
    if (!answer.ok) throw await refusal(answer);
    return answer.json();
  }
}
