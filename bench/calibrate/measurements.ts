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
import type { MeasureBlocks, Slot, Turn } from './requests.js';

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

  /** Measures what of `blocks` interleaved blocks is missing: one family after the other, each in a process of its own. */
  async complete(jobs: readonly BenchJob[], blocks: number, say: (text: string) => void): Promise<void> {
    for (const family of new Set(jobs.map((job) => job.family))) {
      const own = jobs.filter((job) => job.family === family);
      const turns = Array.from({ length: blocks }, (_, index) =>
        own.map(({ name }) => ({ block: index + 1, job: name })),
      )
        .flat()
        .filter(({ block, job }) => !this.#slots.some((slot) => slot.block === block && slot.job === job));
      if (turns.length > 0) await this.#measure(family, turns, own, say);
    }
  }

  async #measure(family: FamilyName, turns: readonly Turn[], jobs: readonly BenchJob[], say: (text: string) => void) {
    say(`${family}: ${turns.length} turns of ${jobs.length} jobs, which warm up first`);
    const onEvent = (slot: Slot): void => {
      appendFileSync(this.#file, `${JSON.stringify(slot)}\n`);
      if (slot.block !== this.#slots.at(-1)?.block) say(`${family}: block ${slot.block}`);
      this.#slots.push(slot);
    };
    const poolThreads = 8;
    await runInChild<MeasureBlocks>(
      CHILD,
      { kind: 'blocks', args: { turns, jobs } },
      { onEvent, poolThreads, family, neededBytes: 2 ** 30 },
    );
  }
}
