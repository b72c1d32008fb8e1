/** What was made for the last few keys. */
export class Recent<T> {
  readonly #most: number;
  /** The one that was asked for last comes last. */
  readonly #known = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string, make: () => T): T {
    const found = this.#known.get(key) ?? make();
    this.#known.delete(key);
    this.#known.set(key, found);
    if (this.#known.size > this.#most) this.#known.delete(this.#known.keys().next().value!);
    return found;
  }
}
