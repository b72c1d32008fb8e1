/** What documents show of commands and of the UI is what is printed now. `npm run docs` writes it anew. */
import { tmpdir } from 'node:os';
import { render } from 'ink-testing-library';
import type { MessagePort } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { searchPlansSafely } from '../../src/cli/search-task.js';
import { Assessor } from '../../src/cli/assess.js';
import { createLook } from '../../src/cli/plan-look-task.js';
import { parsePlanInput } from '../../src/job/index.js';
import { View } from '../../src/tui/app.js';
import { detectLook, LookProvider } from '../../src/tui/look.js';
import { initialApp } from '../../src/tui/state/app.js';
import { initialPlans, USUAL, WHOLE_STEP, withLook } from '../../src/tui/state/plans.js';
import type { AppState } from '../../src/tui/state/types.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../../src/units.js';
import { cli } from '../cli/in-process.js';
import { expectWritten } from '../helpers/document.js';

/** A command as a shell reads it, without the `npx meshwright` that it begins with. */
const argumentsOf = (command: string): string[] =>
  [...command.replaceAll('\\\n', ' ').matchAll(/"([^"]*)"|(\S+)/g)].map((word) => word[1] ?? word[2]!).slice(2);

async function printedBy(command: string): Promise<string> {
  const { status, stdout, stderr } = await cli(argumentsOf(command), tmpdir());
  expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: '' });
  return stdout;
}

/** All of what is printed; or, where what is written begins with `…`, from the line on that begins with the same word. */
function shown(printed: string, written: string): string {
  const [, start] = /^…\n(\S+)/.exec(written) ?? [];
  if (start === undefined) return printed;
  const at = printed.indexOf(`\n${start}`);
  expect(at, `a line that begins with ${start}`).toBeGreaterThan(0);
  return `…\n${printed.slice(at + 1)}`;
}

async function replaceAll(text: string, pattern: RegExp, by: (found: RegExpMatchArray) => Promise<string>) {
  const found = [...text.matchAll(pattern)];
  expect(found.length, String(pattern)).toBeGreaterThan(0);
  const made = await Promise.all(found.map(by));
  return text.replace(pattern, () => made.shift()!);
}

/** Each command with its output below it. */
const withOutputs = (text: string): Promise<string> =>
  replaceAll(text, /```sh\n(npx meshwright [^`]*)```\n\n```\n([^`]*)```/g, async ([, command, written]) => {
    const printed = shown(await printedBy(command!), written!);
    return `\`\`\`sh\n${command}\`\`\`\n\n\`\`\`\n${printed.trimEnd()}\n\`\`\``;
  });

const VIT_22B = { model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65536 };

/** Rows of a table whose first cell is a plan, or what one adds to that of the first row. */
async function withPlans(text: string): Promise<string> {
  let first = '';
  const assessor = new Assessor();
  return replaceAll(text, /^\| (… )?`([^`]+)` +\|.*$/gm, async ([, more, options]) => {
    if (more === undefined) first = options!;
    const plan = more === undefined ? options! : `${first} ${options}`;
    const input = { ...VIT_22B, plan: parsePlanInput(plan, 'plan') };
    const { simulation: one } = assessor.assess(assessor.resolve(input));
    return `| ${[
      `${more ?? ''}\`${options}\``,
      formatSeconds(seconds(one.stepTimeSeconds)),
      formatPercent(one.mfu),
      one.tokensPerSecondPerChip.toFixed(0),
      formatSeconds(seconds(one.exposedCommunicationSeconds)),
      formatBytes(bytes(one.peakMemoryBytesPerChip)),
    ].join(' | ')} |`;
  });
}

/** The plans of the UI's example, in a terminal of 80 columns. */
async function plansOnScreen(): Promise<string> {
  const task = { model: 'vit-tiny', hardware: 'local', chips: 2, batch: 32 };
  const port = { postMessage: () => undefined, close: () => undefined } as unknown as MessagePort;
  const found = await searchPlansSafely({ task, wish: USUAL, port, threads: 1 });
  if (!('progress' in found)) throw new Error(found.code);
  const at = { task, label: found.progress.plans[0]!.label, window: WHOLE_STEP };
  const looked = await createLook()({ kind: 'look', ...at });
  if (!('answer' in looked) || !('bound' in looked.answer)) throw new Error('no look at the first plan');
  const plans = withLook({ ...initialPlans(task), progress: found.progress }, at, looked.answer);
  const state: AppState = {
    ...initialApp({ models: [], hardware: [] }, task),
    screen: { at: 'plans', plans },
  };
  const { lastFrame, unmount } = render(
    <LookProvider value={detectLook({ LANG: 'C.UTF-8', NO_COLOR: '1' }, 'linux')}>
      <View state={state} size={{ columns: 80, rows: 24 }} />
    </LookProvider>,
  );
  const text = (lastFrame() ?? '').replace(/ +$/gm, '').replace(/\n{3,}/g, '\n\n');
  unmount();
  return text;
}

const withScreen = (text: string): Promise<string> =>
  replaceAll(text, /```\n Pick › [^`]*```/g, async () => `\`\`\`\n${(await plansOnScreen()).trimEnd()}\n\`\`\``);

test('README.md shows the UI, outputs and figures as they are', { timeout: 180_000 }, () =>
  expectWritten('README.md', async (text) => withPlans(await withOutputs(await withScreen(text)))),
);
