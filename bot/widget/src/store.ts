// The session's token, by site and the origin of the page around us. Without storage it lives as long as the page.

export class TokenStore {
  private readonly key: string;
  private memory: string | null = null;
  shared = true; // whether other tabs of this browser see the same token

  constructor(site: string, origin: string) {
    this.key = `frontdesk:${site}@${origin}`;
    this.get(); // learns whether there is storage
  }

  get(): string | null {
    if (!this.shared) return this.memory;
    try {
      return localStorage.getItem(this.key);
    } catch {
      this.shared = false;
      return this.memory;
    }
  }

  set(token: string): void {
    this.memory = token;
    try {
      localStorage.setItem(this.key, token);
    } catch {
      this.shared = false;
    }
  }
}
