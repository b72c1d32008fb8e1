/** Searches that are timed, each in a process of its own: from its start to its end, worker threads included. */
import { performance } from 'node:perf_hooks';
import { loadPlanning } from '../../src/cli/bundled-planning.js';
import type { FoundPlans } from '../../src/cli/search-plans.js';
import type { JobInput, Space } from '../../src/job/index.js';
import type { Candidate, CandidateFamily } from '../../src/planner/index.js';
import { TURING_530B, executions, planOf } from './calculon.js';

const { LocalLane, PlanRules, defaultObjectives, machineryOf, parsePlan, resolveTask, searchPlans, searchSpace } =
  await loadPlanning();

export type Figures = Readonly<Record<string, number>>;

const sinceStart = (): number => performance.now();
const MEGABYTE = 2 ** 20;

/** How much longer a good plan's step may take than that of the best that is found. */
const GOOD = 1.1;

/** What a race of a space takes at most: it then shows what was found until then. */
const LIMIT_MILLISECONDS = 60_000;

async function search(input: JobInput, breadth: NonNullable<Space['breadth']>): Promise<Figures> {
  const steps: { readonly at: number; readonly seconds: number }[] = [];
  const task = resolveTask(input);
  const signal = AbortSignal.timeout(LIMIT_MILLISECONDS);
  const found = await searchSpace({
    task,
    space: { breadth },
    machinery: machineryOf(task),
    signal,
    onProgress: ({ ranked }) => steps.push({ at: sinceStart(), seconds: ranked[0]!.measure.seconds }),
  });
  const best = found.ranked[0]!.measure.seconds;
  return {
    ...figuresOf(found),
    first: steps.find(({ seconds }) => seconds <= GOOD * best)!.at,
    cut: Number(signal.aborted),
  };
}

function figuresOf({ counts, front }: Pick<FoundPlans, 'counts' | 'front'>): Figures {
  const { user, system } = process.cpuUsage();
  return {
    milliseconds: sinceStart(),
    cpuMilliseconds: (user + system) / 1000,
    megabytes: (process.resourceUsage().maxRSS * 1024) / MEGABYTE,
    front: front.length,
    ...counts,
  };
}

/** Calculon's list, one by one; those that are the same plan here are looked at once. */
async function calculon(): Promise<Figures> {
  const input = {
    model: {
      preset: 'gpt3-175b',
      name: 'turing-530b',
      width: TURING_530B.hidden,
      depth: TURING_530B.blocks,
      heads: TURING_530B.heads,
      keyValueHeads: TURING_530B.heads,
      headWidth: TURING_530B.hidden / TURING_530B.heads,
      mlpWidth: 4 * TURING_530B.hidden,
      sequence: TURING_530B.sequence,
    },
    hardware: 'a100-80gb-sxm',
    chips: TURING_530B.chips,
  };
  const task = resolveTask(input);
  const lane = new LocalLane({ task, headroom: 0 });
  const seen = new Map<string, number>();
  let [listed, lacking] = [0, 0];
  for (const execution of executions(TURING_530B)) {
    listed++;
    const plan = planOf(execution);
    if ('lacks' in plan) lacking++;
    else seen.set(`${plan.batch} ${plan.plan}`, (seen.get(`${plan.batch} ${plan.plan}`) ?? 0) + 1);
  }
  const tasks = new Map<number, typeof task>();
  const families = [...seen].flatMap(([text, count]): CandidateFamily<Candidate>[] => {
    const batch = Number(text.slice(0, text.indexOf(' ')));
    if (!tasks.has(batch)) tasks.set(batch, { ...task, batch });
    const own = tasks.get(batch)!;
    const { plan, precision, dropped, refusal } = new PlanRules(own).fit(parsePlan(text.slice(text.indexOf(' ') + 1)));
    // Optimizer state is dealt out by whole dimensions here, and none divides by 641.
    if (dropped.length > 0 || refusal !== undefined) {
      lacking += count;
      return [];
    }
    return [lane.family({ task: own, plan, precision, microbatches: [plan.microbatches], layouts: [{}] })];
  });
  const found = await searchPlans(families, { lanes: [lane], objectives: defaultObjectives, top: 10 });
  return { ...figuresOf(found), listed, lacking };
}

const VIT_22B = { model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65536 };
const GPT3_175B = { model: 'gpt3-175b', hardware: 'h100-80gb-sxm', chips: 4096, batch: 3072 };

export const RACES: Readonly<Record<string, () => Promise<Figures>>> = {
  calculon,
  'vit-22b usual': () => search(VIT_22B, 'usual'),
  'vit-22b full': () => search(VIT_22B, 'full'),
  'gpt3-175b usual': () => search(GPT3_175B, 'usual'),
  'gpt3-175b full': () => search(GPT3_175B, 'full'),
};
