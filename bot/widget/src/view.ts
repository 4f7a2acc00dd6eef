// What is on the page: messages, the answer that grows, what a screen reader hears. Knows no requests.
import type { Words } from "./words";

export type Author = "person" | "model" | "house" | "operator";
export type Said = { message: number; author: Author; html: string; state: string; reply_to: number | null };
type Entry = { box: HTMLElement; body: HTMLElement; author: Author };

const NEAR = 60; // px from the end within which the reader is following
const HEARD = 30_000; // ms; by then a screen reader has taken a sentence from the live region

const COPY = "M9 9h10v10H9zM5 15V5h10";
const UP = "M8 11v8H5v-8zm0 0 3.5-6.5c2 0 2.3 1.5 2 2.6L13 10h5c1 0 1.6.9 1.4 1.8l-1.4 6c-.2.8-.8 1.2-1.6 1.2H8";

export const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  text = "",
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export function control(name: string, path: string, press: () => void): HTMLButtonElement {
  const button = make("button", "small");
  button.type = "button";
  button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`;
  button.ariaLabel = button.title = name;
  button.onclick = press;
  return button;
}

export class View {
  onFeedback: (message: number, value: number) => Promise<unknown> = async () => {};
  live = false; // false while the past is being replayed: it is shown, but not read aloud
  private readonly entries = new Map<number, Entry>();
  private readonly messages = byId("messages");
  private readonly list = byId("list");
  private readonly latest = byId("latest");
  private following = true;
  private top = 0;
  private painting = 0;

  constructor(private readonly words: Words) {
    this.messages.onscroll = () => this.look();
    this.latest.onclick = () => this.toEnd(true);
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.messages);
  }

  clear(): void {
    this.entries.clear();
    this.list.replaceChildren();
    this.look();
  }

  has(message: number): boolean {
    return this.entries.has(message);
  }

  // A message of the person that the server has not confirmed yet.
  pending(text: string): HTMLElement {
    const box = this.box("person");
    box.classList.add("pending");
    box.append(make("div", "body", text));
    this.list.append(box);
    this.toEnd();
    return box;
  }

  // Shows a message; `box` is the pending one that it was, if any.
  said({ message, author, html, state }: Said, box?: HTMLElement): void {
    const known = this.entries.get(message)?.box;
    const fresh = this.box(author);
    const body = make("div", "body");
    fresh.append(body);
    if (html) body.append(this.block(html));
    this.entries.set(message, { box: fresh, body, author });
    this.change(() => {
      if (known ?? box) (known ?? box)!.replaceWith(fresh);
      else this.list.append(fresh);
      if (html && author !== "person") this.say(body.innerText);
      this.mark(message, state);
    });
  }

  // Blocks from `from` on are `blocks` now, then the open one as plain text.
  piece(message: number, from: number, blocks: string[], open = "", say = ""): void {
    const body = this.entries.get(message)?.body;
    if (!body) return;
    this.change(() => {
      while (body.children.length > from) body.lastElementChild!.remove();
      body.lastElementChild?.classList.contains("open") && body.lastElementChild.remove();
      body.append(...blocks.map((html) => this.block(html)));
      if (open) body.append(make("div", "open", open));
    });
    if (say) this.say(say);
  }

  // More of the open block.
  grow(message: number, add: string, say = ""): void {
    const open = this.entries.get(message)?.body.lastElementChild;
    if (!open) return;
    this.change(() => open.append(add));
    if (say) this.say(say);
  }

  ended(message: number, state: string, from: number, blocks: string[], say?: string): Author | undefined {
    const entry = this.entries.get(message);
    if (!entry) return undefined;
    if (entry.author === "model") this.piece(message, from, blocks, "", say);
    this.change(() => this.mark(message, state));
    return entry.author;
  }

  // Whether an answer has something to read yet: before that, dots stand in for it.
  growing(): boolean {
    return [...this.entries.values()].some(({ box, body }) => box.dataset.state === "answering" && body.hasChildNodes());
  }

  // Changes the page without moving what is being read: only a reader at the end is taken along, once a frame.
  change(what: () => void): void {
    what();
    this.painting ||= requestAnimationFrame(() => {
      this.painting = 0;
      if (this.following) this.toEnd();
      else this.look();
    });
  }

  toEnd(smooth = false): void {
    this.following = true;
    const calm = matchMedia("(prefers-reduced-motion)").matches || !smooth;
    this.messages.scrollTo({ top: this.messages.scrollHeight, behavior: calm ? "instant" : "smooth" });
    this.latest.hidden = true;
  }

  say(sentence: string): void {
    if (!this.live) return;
    const line = make("p", "", sentence);
    byId("log").append(line);
    setTimeout(() => line.remove(), HEARD);
  }

  status(sentence: string): void {
    byId("status").textContent = sentence;
  }

  // Only who scrolls up stops following: the page may have grown since it was last moved.
  private look(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.messages;
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.following = true;
    else if (scrollTop < this.top) this.following = false;
    this.top = scrollTop;
    this.latest.hidden = this.following;
  }

  private box(author: Author): HTMLElement {
    const box = make("div", `message ${author}`);
    const { you, bot, house, team } = this.words;
    const name = { person: you, model: bot, house, operator: team }[author];
    box.append(make("span", author === "operator" ? "name" : "quiet", name));
    return box;
  }

  private mark(message: number, state: string): void {
    const { box, author } = this.entries.get(message)!;
    box.dataset.state = state;
    box.querySelector(".foot")?.remove();
    if (author !== "model" || state === "answering" || state === "queued") return;
    const foot = make("div", "foot");
    const { stopped, failed, refused } = this.words;
    const label = { stopped, failed, refused }[state];
    if (label) foot.append(make("span", "state", label));
    else foot.append(...this.thumbs(message));
    box.append(foot);
  }

  private thumbs(message: number): HTMLElement[] {
    const { good, bad, thanks } = this.words;
    const buttons = [1, -1].map((value) => {
      const button = control(value > 0 ? good : bad, UP, async () => {
        for (const each of buttons) each.ariaPressed = `${each === button}`;
        await this.onFeedback(message, value).then(
          () => this.status(thanks),
          () => (button.ariaPressed = "false"),
        );
      });
      button.ariaPressed = "false";
      if (value < 0) button.classList.add("down");
      return button;
    });
    return buttons;
  }

  // Server-sanitised HTML of one block, with what only a page can add: link targets, scrolling, a copy button.
  private block(html: string): HTMLElement {
    const block = make("div");
    block.innerHTML = html;
    for (const link of block.querySelectorAll("a")) {
      link.target = "_blank";
      link.rel = "noopener noreferrer nofollow";
    }
    for (const wide of block.querySelectorAll<HTMLElement>("table, pre")) {
      const scroller = make("div", wide.tagName === "PRE" ? "wide code" : "wide");
      wide.replaceWith(scroller);
      scroller.append(wide);
      wide.tabIndex = 0;
      if (wide.tagName === "PRE") scroller.append(this.copy(wide));
    }
    return block;
  }

  private copy(code: HTMLElement): HTMLButtonElement {
    const { copy, copied } = this.words;
    const button = control(copy, COPY, async () => {
      const text = code.innerText.trimEnd();
      await navigator.clipboard.writeText(text).catch(() => {
        getSelection()!.selectAllChildren(code);
        document.execCommand("copy"); // plain http has no clipboard
      });
      button.dataset.done = copied;
      this.status(copied);
      setTimeout(() => delete button.dataset.done, 1500);
    });
    return button;
  }
}
