// What a host page loads: a launcher button and, when first opened, the chat in a frame on our own origin.
// Knows nothing of the conversation. Needs script-src and frame-src of the host's CSP, no more.
//
//   <script async src="https://HOST/widget.js" data-site="demo"></script>
//   optional: data-lang="zh" data-theme="dark" data-title="Ask us" data-side="left" data-open
//   window.Frontdesk("open" | "close" | "ask", text) works also before this script has arrived, with the stub
//   window.Frontdesk = window.Frontdesk || function () { (Frontdesk.q = Frontdesk.q || []).push(arguments) }

type Command = "open" | "close" | "ask";
type Api = { (command: Command, text?: string): void; q?: Iterable<[Command, string?]>; on?: boolean };

const STYLE = `:host{all:initial;color-scheme:light dark}:host([d=dark]){color-scheme:dark}:host([d=light]){color-scheme:light}
button,iframe{position:fixed;z-index:2147483000;inset-block-end:20px;inset-inline-end:20px;border:0}
.left *{inset-inline:20px auto}
button{box-sizing:border-box;width:56px;height:56px;padding:15px;border-radius:50%;background:#0b5d57;color:#fff;cursor:pointer;box-shadow:0 1px 2px #0004,0 6px 20px #06292633;transition:transform .16s,background .16s}
button:hover{background:#0f716a;transform:translateY(-1px)}
button:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #0b5d57}
svg{display:block;width:26px;height:26px;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
iframe{inset-block-end:88px;width:400px;height:640px;max-width:calc(100vw - 40px);max-height:calc(100dvh - 108px);border-radius:18px;background:light-dark(#fbfaf7,#121817);box-shadow:0 0 0 1px #8883,0 12px 48px #0a1f1d33;visibility:hidden;opacity:0;transform:translateY(10px);transition:.18s}
.open iframe{visibility:visible;opacity:1;transform:none}
@media(max-width:480px),(max-height:440px){iframe{inset:0!important;width:100%;height:100dvh;max-width:none;max-height:none;border-radius:0}.open button{display:none}}
@media(prefers-reduced-motion){*{transition:none!important}}
@media print{*{display:none}}`;
const BELL = "M4 17a8 8 0 0 1 16 0zM3 20.5h18M12 9V6M9.5 5.5h5";
const DOWN = "M5 9l7 7 7-7";
const KEPT = "frontdesk:open";

function kept(value?: string): string | null {
  try {
    if (value) sessionStorage.setItem(KEPT, value);
    return sessionStorage.getItem(KEPT);
  } catch {
    return null; // the host page has no storage: it then just does not remember
  }
}

function start(tag: HTMLScriptElement, page: { Frontdesk?: Api }): void {
  const { site = "demo", lang = "", theme = "", title, side, open: opens } = tag.dataset;
  const origin = new URL(tag.src).origin;
  const [say, hide, name] = /^zh/i.test(lang || document.documentElement.lang || navigator.language)
    ? ["打开聊天", "关闭聊天", "聊天"]
    : ["Open chat", "Close chat", "Chat"];
  const host = document.createElement("div");
  host.setAttribute("d", theme);
  const root = host.attachShadow({ mode: "open" });
  const style = new CSSStyleSheet(); // an adopted sheet is not "inline style" to a CSP
  style.replaceSync(STYLE);
  root.adoptedStyleSheets = [style];
  root.innerHTML = `<div><button type=button><svg viewBox="0 0 24 24" aria-hidden=true><path></path></svg></button></div>`;
  const box = root.firstElementChild as HTMLElement;
  const button = box.firstElementChild as HTMLButtonElement;
  const path = root.querySelector("path")!;
  let frame: HTMLIFrameElement | undefined;
  let ready = false;
  let queue: object[] = [];
  if (side === "left") box.classList.add("left");

  function post(message: object): void {
    if (ready) frame!.contentWindow!.postMessage(message, origin);
    else queue.push(message);
  }

  function show(open: boolean, focus?: boolean): void {
    box.classList.toggle("open", open);
    button.ariaExpanded = `${open}`;
    button.ariaLabel = open ? hide! : title || say!;
    path.setAttribute("d", open ? DOWN : BELL);
    if (open && !frame) {
      frame = document.createElement("iframe");
      frame.title = title || name!;
      frame.allow = "clipboard-write";
      if (origin !== location.origin) // on our own page a sandbox holds nothing
        frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox");
      frame.onload = () => {
        ready = true;
        for (const message of queue) post(message);
        queue = [];
      };
      frame.src = `${origin}/widget/${site}#${new URLSearchParams({ lang, theme })}`;
      box.prepend(frame);
    }
    if (frame) post({ frontdesk: open ? "open" : "close", focus });
  }

  function set(open: boolean): void {
    show(open, true);
    kept(open ? "1" : "0");
    if (open) frame!.focus();
    else button.focus();
  }

  const isOpen = () => box.classList.contains("open");
  button.onclick = () => set(!isOpen());
  button.onkeydown = (event) => {
    if (event.key === "Escape" && isOpen()) set(false);
  };
  addEventListener("message", (event) => {
    if (frame && event.source === frame.contentWindow && event.origin === origin && event.data?.frontdesk === "close")
      set(false);
  });
  document.body.append(host);
  const wide = matchMedia("(min-width:481px)").matches; // on a phone the sheet never covers a page unasked
  show(wide && (kept() ? kept() === "1" : opens !== undefined));

  const early = page.Frontdesk?.q ?? [];
  const api: Api = (command, text) => {
    if (command === "close") return isOpen() ? set(false) : undefined;
    set(true);
    if (command === "ask" && text) post({ frontdesk: "ask", text });
  };
  api.on = true;
  page.Frontdesk = api;
  for (const call of early) api(...call);
}

const tag = (document.currentScript ?? document.querySelector("script[data-site]")) as HTMLScriptElement | null;
const page = window as unknown as { Frontdesk?: Api };
if (tag && !page.Frontdesk?.on) {
  if (document.body) start(tag, page);
  else addEventListener("DOMContentLoaded", () => start(tag, page));
}
