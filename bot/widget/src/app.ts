// The chat frame: puts session, stream and view together, and speaks with the page around it.
import { Api, Refused, type Greeting } from "./api";
import { TokenStore } from "./store";
import { Stream, type Event } from "./stream";
import { byId, make, View, type Said } from "./view";
import { wordsFor } from "./words";

type Ending = { message: number; state: string; from: number; blocks: string[]; say?: string };
type Unsent = { text: string; key: string; box: HTMLElement; message?: number };

const TRIES = 4; // of one message, before the person is asked
const QUIET = 400; // ms without an event: the past has been replayed

const asked = new URLSearchParams(location.hash.slice(1));
const language = asked.get("lang") || navigator.language;
const words = wordsFor(language);
const site = location.pathname.split("/").filter(Boolean).pop()!;
const embedded = parent !== window;

const composer = byId<HTMLFormElement>("composer");
const text = byId<HTMLTextAreaElement>("text");
const send = byId<HTMLButtonElement>("send");
const stop = byId<HTMLButtonElement>("stop");

document.documentElement.lang = /^zh/i.test(language) ? "zh-Hans" : "en";
document.documentElement.dataset.theme = asked.get("theme") ?? "";
byId("about").textContent = words.about;
byId("hint").textContent = words.hint;
byId("close").ariaLabel = words.close;
byId("messages").ariaLabel = words.messages;
byId("suggestions").ariaLabel = words.suggestions;
byId("latest").lastElementChild!.textContent = words.latest;
composer.querySelector("label")!.textContent = words.message;
text.placeholder = words.placeholder;
send.ariaLabel = words.send;
stop.ariaLabel = words.stop;

const view = new View(words);
const unsent: Unsent[] = [];
const busy = new Set<number>(); // messages of the person without their answer, and answers under way
let api: Api | undefined;
let stream: Stream | undefined;
let host = embedded ? "" : location.origin; // the page around us, as the browser names it
let open = !embedded;
let spoke = false; // whether the person has said anything here
let calm: ReturnType<typeof setTimeout> | undefined;

// On a phone the composer's focus would raise the keyboard over what is to be read.
const byTouch = () => !matchMedia("(pointer:fine)").matches;

// --- what is under way -----------------------------------------------------------------------------------------

function refresh(): void {
  const waiting = busy.size > 0 || unsent.some((one) => !one.box.classList.contains("failed"));
  const empty = !text.value.trim();
  byId("dots").hidden = !waiting || view.growing();
  stop.hidden = !waiting;
  if (!waiting) stop.disabled = false;
  send.hidden = waiting && empty;
  send.disabled = empty;
  byId("suggestions").hidden = spoke || unsent.length > 0;
}

// --- the server's events ---------------------------------------------------------------------------------------

function onEvent({ kind, data }: Event): void {
  clearTimeout(calm);
  calm = setTimeout(() => (view.live = true), QUIET);
  if (kind === "said") onSaid(data);
  else if (kind === "piece" && data.add) view.grow(data.message, data.add, data.say);
  else if (kind === "piece") view.piece(data.message, data.from, data.blocks, data.open, data.say);
  else if (kind === "ended") onEnded(data);
  else if (kind === "cleared") forgotten();
  view.change(refresh);
}

function onSaid(said: Said): void {
  const own = said.author === "person";
  view.said(said, own ? confirmed(said)?.box : undefined);
  if (own) spoke = true;
  if (said.state === "queued" || said.state === "answering") {
    busy.add(said.message);
    if (view.live) view.status(words.thinking);
  }
}

function onEnded({ message, state, from, blocks, say }: Ending): void {
  const author = view.ended(message, state, from, blocks, say);
  busy.delete(message);
  if (view.live && (author === "model" || state !== "done"))
    view.status({ stopped: words.stopped, failed: words.failed, refused: words.refused }[state] ?? words.complete);
}

// The pending message that `said` is, by its id or, when the event came before the answer to our POST, by its words.
function confirmed({ message, html }: Said): Unsent | undefined {
  const plain = make("div");
  plain.innerHTML = html;
  const bare = (words: string) => words.replace(/\s+/g, "");
  const found =
    unsent.find((one) => one.message === message) ??
    unsent.find((one) => !one.message && bare(one.text) === bare(plain.textContent!));
  if (found) unsent.splice(unsent.indexOf(found), 1);
  return found;
}

// The server keeps nothing of the place, so not even its own word for it: that is said here, once.
function forgotten(): void {
  clear();
  if (view.live) view.said({ message: 0, author: "house", html: words.cleared, state: "done", reply_to: null });
}

function clear(): void {
  view.clear();
  busy.clear();
  spoke = false;
  for (const { box } of unsent) byId("list").append(box);
}

// --- what the person says --------------------------------------------------------------------------------------

function say(words: string): void {
  view.live = true;
  const one = { text: words, key: newKey(), box: view.pending(words) };
  unsent.push(one);
  view.change(refresh);
  void deliver(one);
}

// crypto.randomUUID is missing on plain http
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// The same key each time: however often it is tried, it is answered once.
async function deliver(one: Unsent): Promise<void> {
  one.box.classList.remove("failed");
  one.box.querySelector(".trouble")?.remove();
  view.change(refresh);
  for (let tries = 1; ; tries++) {
    try {
      await begun;
      one.message = (await api!.message(one.text, one.key)).message;
      if (view.has(one.message)) drop(one); // the event was faster and its words differed
      return view.change(refresh);
    } catch (error) {
      const refused = error instanceof Refused ? error : new Refused(0);
      const again = refused.status === 0 || (refused.status >= 500 && !refused.retryAfter);
      if (!unsent.includes(one)) return; // the event came though the answer did not
      if (!again || tries >= TRIES) return trouble(one, refused);
      await new Promise((done) => setTimeout(done, 500 * 2 ** tries * (0.5 + Math.random() / 2)));
    }
  }
}

function drop(one: Unsent): void {
  if (unsent.includes(one)) unsent.splice(unsent.indexOf(one), 1);
  one.box.remove();
}

function trouble(one: Unsent, refused: Refused): void {
  const hopeless = [400, 413, 422].includes(refused.status); // only other words will help
  const line = make("div", "trouble", refused.message || words.unsent);
  const button = make("button", "", hopeless ? words.edit : words.retry);
  button.type = "button";
  button.onclick = () => {
    if (hopeless) edit(one);
    else void deliver(one);
    text.focus();
  };
  line.append(button);
  one.box.append(line);
  one.box.classList.add("failed");
  view.status(refused.message || words.unsent);
  view.change(refresh);
}

function edit(one: Unsent): void {
  drop(one);
  text.value = one.text + (text.value && "\n" + text.value);
  grow();
}

function grow(): void {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`; // app.css ends it at six lines
  refresh();
}

composer.onsubmit = (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (!words) return;
  text.value = "";
  grow();
  say(words);
  text.focus();
};
text.oninput = grow;
text.onkeydown = (event) => {
  // 229: Safari ends a composition just before the key that ended it
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  composer.requestSubmit();
};
stop.onclick = async () => {
  stop.disabled = true;
  text.focus();
  await api!.stop().then(
    ({ stopped }) => (stop.disabled = stopped),
    (error: Refused) => {
      stop.disabled = false;
      view.status(error.message || words.away);
    },
  );
};

// --- session and stream ----------------------------------------------------------------------------------------

let started: () => void;
const begun = new Promise<void>((done) => (started = done));

async function begin(): Promise<void> {
  const store = new TokenStore(site, host);
  api = new Api(site, host, language, store);
  view.onFeedback = (message, value) => api!.feedback(message, value);
  for (let tries = 1; ; tries++) {
    try {
      greet(await api.open());
      break;
    } catch (error) {
      const { message, status } = error as Refused;
      byId("greeting").textContent = message || words.away;
      byId("greeting").classList.add("trouble");
      if (status === 403 || status === 404) {
        text.disabled = true;
        return;
      }
      await new Promise((done) => setTimeout(done, Math.min(30, 2 ** tries) * 500));
    }
  }
  stream = new Stream(api);
  stream.onEvent = onEvent;
  stream.onLine = line;
  stream.onLost = () => {
    view.live = false;
    clear();
    refresh();
  };
  api.onLost = () => stream!.restart();
  started();
  watch();
}

function greet({ title, greeting, suggestions }: Greeting): void {
  byId("title").textContent = document.title = title;
  byId("greeting").textContent = greeting;
  byId("greeting").classList.remove("trouble");
  byId("suggestions").replaceChildren(
    ...suggestions.map((question) => {
      const item = make("li");
      const chip = make("button", "chip", question);
      chip.type = "button";
      chip.onclick = () => {
        say(question);
        (byTouch() ? byId("messages") : text).focus();
      };
      item.append(chip);
      return item;
    }),
  );
  refresh();
}

function line(online: boolean): void {
  const away = document.body.classList.toggle("away", !online);
  const about = byId("about");
  if (away) view.status(words.away);
  else if (about.textContent === words.away) view.status(words.back);
  about.textContent = away ? words.away : words.about;
}

// Events are wanted while someone can see them; what happens meanwhile is told from the last seen id on.
function watch(): void {
  stream?.want(open && document.visibilityState === "visible");
}

// --- the page around us ----------------------------------------------------------------------------------------

function shown(focus: boolean): void {
  if (!open || !api) {
    open = true;
    if (api) watch();
    else void begin();
  }
  if (focus) (byTouch() ? byId("title") : text).focus();
}

function close(): void {
  if (embedded && host) parent.postMessage({ frontdesk: "close" }, host);
}

addEventListener("message", ({ source, origin, data }) => {
  if (!embedded || source !== parent || (host && origin !== host) || !data?.frontdesk) return;
  host ||= origin;
  if (data.frontdesk === "open") shown(!!data.focus);
  else if (data.frontdesk === "ask") say(String(data.text));
  else if (data.frontdesk === "close") {
    open = false;
    watch();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) close();
});
document.addEventListener("visibilitychange", watch);
byId("close").hidden = !embedded;
byId("close").onclick = close;
refresh();
if (!embedded) shown(true);
