/**
 * Measurements that are kept: a line a job and block in a folder, written as they come, so that a run that was cut off goes
 * on where it stopped and fits can be tried without measuring again.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { MeshwrightError } from '../../src/errors.js';
import type { FamilyName } from '../../src/runtime/index.js';
import { runInChild } from '../../src/runtime/index.js';
import type { BenchJob } from './jobs.js';
import type { MeasureBlock, Slot } from './requests.js';

const CHILD = new URL('./child.js', import.meta.url);
const SCHEMA = 'meshwright/bench-measurements@1';

interface Machine {
  readonly schema: typeof SCHEMA;
  readonly processor: string;
  readonly cores: number;
}

const thisMachine = (): Machine => ({
  schema: SCHEMA,
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
});

export class Measurements {
  readonly #folder: string;
  readonly #slots: Slot[];

  /** @throws MeshwrightError RUN_INVALID of a folder that another machine measured */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const about = join(folder, 'machine.json');
    if (!existsSync(about)) writeFileSync(about, `${JSON.stringify(thisMachine(), null, 2)}\n`);
    const text = readFileSync(about, 'utf8').trim();
    const expected = JSON.stringify(thisMachine(), null, 2);
    if (text !== expected)
      throw new MeshwrightError('RUN_INVALID', { place: about, expected, got: text, hint: 'take another folder' });
    this.#slots = existsSync(this.#file) ? this.#read() : [];
  }

  get #file(): string {
    return join(this.#folder, 'slots.jsonl');
  }

  /** A line that was cut off when a run was killed is measured again. */
  #read(): Slot[] {
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    const isWhole = lines.at(-1) === '';
    if (!isWhole)
      writeFileSync(
        this.#file,
        lines
          .slice(0, -1)
          .map((line) => `${line}\n`)
          .join(''),
      );
    return lines.slice(0, -1).map((line) => JSON.parse(line) as Slot);
  }

  of(job: BenchJob): Slot[] {
    return this.#slots.filter((slot) => slot.job === job.name);
  }

  get all(): readonly Slot[] {
    return this.#slots;
  }

  #missing(block: number, jobs: readonly BenchJob[]): BenchJob[] {
    return jobs.filter(({ name }) => !this.#slots.some((slot) => slot.block === block && slot.job === name));
  }

  /** Measures what of `blocks` interleaved blocks is missing: block after block, of each one family after the other. */
  async complete(jobs: readonly BenchJob[], blocks: number, say: (text: string) => void): Promise<void> {
    const families = [...new Set(jobs.map(({ family }) => family))];
    for (let block = 1; block <= blocks; block++) {
      for (const family of families) {
        const missing = this.#missing(
          block,
          jobs.filter((job) => job.family === family),
        );
        if (missing.length > 0) await this.#measure(block, family, missing, say);
      }
    }
  }

  async #measure(block: number, family: FamilyName, jobs: readonly BenchJob[], say: (text: string) => void) {
    say(`block ${block}: ${jobs.length} jobs of ${family}`);
    const onEvent = (slot: Slot): void => {
      appendFileSync(this.#file, `${JSON.stringify(slot)}\n`);
      this.#slots.push(slot);
    };
    const poolThreads = 8;
    await runInChild<MeasureBlock>(
      CHILD,
      { kind: 'block', args: { block, jobs } },
      { onEvent, poolThreads, family, neededBytes: 2 ** 30 },
    );
  }
}
