/**
 * Where each chip's time goes, counted as `Exposure` does for one: hidden communication beside a kernel or the host,
 * exposed while only collectives run, by the axis of the one that began first.
 */
export class ChipTimes {
  readonly busy: Float64Array;
  readonly hidden: Float64Array;
  /** By lane and chip: lane × chips + chip. */
  readonly exposed: Float64Array;
  readonly #chips: number;
  readonly #lanes: number;
  readonly #isBusy: Uint8Array;
  readonly #since: Float64Array;
  /** By chip: the lanes that run, in the order they began, and at the same time in the order of issue. */
  readonly #running: Uint8Array;
  /** By lane and chip: the run, and when it began. */
  readonly #run: Int32Array;
  readonly #began: Float64Array;
  readonly #runningCount: Uint8Array;

  constructor(chips: number, lanes: number) {
    this.#chips = chips;
    this.#lanes = lanes;
    this.busy = new Float64Array(chips);
    this.hidden = new Float64Array(chips);
    this.exposed = new Float64Array(lanes * chips);
    this.#isBusy = new Uint8Array(chips);
    this.#since = new Float64Array(chips);
    this.#running = new Uint8Array(lanes * chips);
    this.#run = new Int32Array(lanes * chips);
    this.#began = new Float64Array(lanes * chips);
    this.#runningCount = new Uint8Array(chips);
  }

  setBusy(chip: number, busy: boolean, now: number): void {
    this.#count(chip, now);
    this.#isBusy[chip] = busy ? 1 : 0;
  }

  begin(chip: number, lane: number, run: number, now: number): void {
    this.#count(chip, now);
    const first = chip * this.#lanes;
    let index = first + this.#runningCount[chip]!++;
    for (; index > first; index--) {
      const before = this.#running[index - 1]! * this.#chips + chip;
      if (this.#began[before]! < now || this.#run[before]! < run) break;
      this.#running[index] = this.#running[index - 1]!;
    }
    this.#running[index] = lane;
    this.#run[lane * this.#chips + chip] = run;
    this.#began[lane * this.#chips + chip] = now;
  }

  /** When the run that is under way on a lane began. */
  beganAt(chip: number, lane: number): number {
    return this.#began[lane * this.#chips + chip]!;
  }

  end(chip: number, lane: number, now: number): void {
    this.#count(chip, now);
    const first = chip * this.#lanes;
    const last = first + --this.#runningCount[chip]!;
    let index = this.#running.indexOf(lane, first);
    for (; index < last; index++) this.#running[index] = this.#running[index + 1]!;
  }

  #count(chip: number, now: number): void {
    const elapsed = now - this.#since[chip]!;
    if (elapsed === 0) return;
    this.#since[chip] = now;
    const runs = this.#runningCount[chip]! > 0;
    if (this.#isBusy[chip] === 1) {
      this.busy[chip]! += elapsed;
      if (runs) this.hidden[chip]! += elapsed;
    } else if (runs) this.exposed[this.#running[chip * this.#lanes]! * this.#chips + chip]! += elapsed;
  }
}
