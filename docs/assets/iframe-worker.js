/* Search from a disk. A browser refuses to start a worker from a file, so the search's script runs
 * in a hidden frame instead, and this class passes messages as a worker would. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = "<!doctype html><title>search</title>";
      frame.onload = () => this.start(frame.contentWindow, url);
      document.body.append(frame);
    }
    start(inside, url) {
      /* what a worker calls; the script asks for its language files one after the other */
      inside.importScripts = (...urls) =>
        urls.reduce((before, each) => before.then(() => load(inside, each)), Promise.resolve());
      inside.postMessage = (data) => this.heard(data);
      load(inside, url).then(() => {
        this.say = (data) => inside.dispatchEvent(new inside.MessageEvent("message", { data }));
        this.waiting.forEach(this.say);
      });
    }
    heard(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      if (this.onmessage) this.onmessage(event);
    }
    postMessage(data) {
      if (this.say) this.say(data);
      else this.waiting.push(data);
    }
    terminate() {}
  };
}

function load(inside, url) {
  return new Promise((done, failed) => {
    const script = inside.document.createElement("script");
    script.src = url;
    script.onload = done;
    script.onerror = () => failed(new Error(`${url} cannot be loaded`));
    inside.document.body.append(script);
  });
}
