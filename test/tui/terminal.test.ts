/** The UI in a real terminal. It runs from dist/, as the CLI does; the fake program is transpiled next to it. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Terminal } from '../helpers/terminal.js';
import { noTerminal, openTerminal } from '../helpers/terminal.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OUT = `${ROOT}dist/test/tui/`;
const FILES = ['fake-app', 'fake-services'];
const TITLE = noTerminal === undefined ? 'the UI in a terminal' : `the UI in a terminal (skipped: ${noTerminal})`;

/** One of the terminal's first sixteen, or of more; 39 and 49 are its own. */
const COLOR = /<(?:\d+;)*(?:[34][0-8]|9\d|10\d)[;>]/;

/** The screen with its escape sequences as `<36>`. */
const stylesOf = async (shown: Terminal): Promise<string> =>
  (await shown.captureStyled()).replaceAll('\u001B[', '<').replaceAll(/(<[\d;]+)m/g, '$1>');

describe.skipIf(noTerminal !== undefined)(TITLE, () => {
  let terminal: Terminal;
  let close: (() => Promise<void>) | undefined;

  beforeAll(() => {
    if (!existsSync(`${ROOT}dist/src/tui/index.js`)) throw new Error('run `npm run build` first: this runs from dist/');
    mkdirSync(OUT, { recursive: true });
    const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
    for (const name of FILES) {
      const source = readFileSync(`${ROOT}test/tui/${name}.ts`, 'utf8');
      writeFileSync(`${OUT}${name}.js`, ts.transpileModule(source, { compilerOptions }).outputText);
    }
  });
  afterAll(() => rmSync(OUT, { recursive: true, force: true }));
  afterEach(async () => {
    await close?.();
    close = undefined;
  });

  async function open(options: { wrong?: string; steps?: number; env?: Record<string, string> } = {}): Promise<void> {
    terminal = await openTerminal({ columns: 80, rows: 24, cwd: ROOT, ...(options.env && { env: options.env }) });
    close = terminal.close;
    await terminal.start(`node dist/test/tui/fake-app.js ${options.wrong ?? 'nothing'} ${options.steps ?? 40}`);
    await terminal.waitFor('Enter search');
  }

  async function searchHere(): Promise<void> {
    await terminal.keys('vit-tiny', 'Tab', 'cpu', 'Tab', '2', 'Tab', '64');
    await terminal.waitFor(/Batch +64/);
    await terminal.keys('Enter');
    await terminal.waitFor('Found 3 plans');
  }

  /** The shell is back, on the screen from before, with a cursor and an echo. */
  async function expectRestored(): Promise<void> {
    const screen = await terminal.waitForPrompt();
    expect(screen).toMatch(/^(ready> )?node dist/m);
    expect(screen).not.toContain('Pick ›');
    expect(await terminal.modes()).toEqual({ alternateScreen: false, cursorShown: true, wraps: true });
    await terminal.start('clear; stty -a');
    const modes = await terminal.waitFor(/\biexten\b/);
    expect(modes).toMatch(/(?<!-)\becho\b/);
    expect(modes).toMatch(/(?<!-)\bicanon\b/);
    expect(modes).toMatch(/(?<!-)\bisig\b/);
  }

  it('is driven from the fields to the comparison, then quits and leaves the terminal as it was', async () => {
    await open();
    expect(await terminal.modes()).toEqual({ alternateScreen: true, cursorShown: false, wraps: false });
    await searchHere();
    await terminal.keys('Down');
    await terminal.waitFor(/❯ +2 +data=1,model=2/);
    await terminal.keys('t');
    await terminal.waitFor('Loss over');
    await terminal.waitFor('Finished. Enter compares it with the prediction.');
    await terminal.keys('Enter');
    const screen = await terminal.waitFor('Run folder /home/ada/');
    expect(screen).toContain('Step 390 ms predicted (370 ms – 409 ms), 425 ms measured: −8.3 %, outside.');
    await terminal.keys('q');
    await terminal.waitFor('left the interface');
    await expectRestored();
  });

  it('re-flows when the terminal is resized, leaving nothing behind', async () => {
    await open();
    await terminal.keys('Enter');
    await terminal.waitFor('Found 15 plans');
    // The plan is looked at closely a moment later.
    await terminal.waitFor('· idle');
    const small = await terminal.capture();
    await terminal.resize(160, 40);
    await terminal.waitFor(/# {2}mesh.*── data=128,model=8/);
    await terminal.resize(80, 24);
    await terminal.waitFor(/memory\n ❯/);
    await expect.poll(() => terminal.capture(), { timeout: 5000 }).toEqual(small);
    await terminal.resize(60, 20);
    await terminal.waitFor('this one is 60×20');
  });

  it('re-flows on every screen, also one on which nothing goes on, and so fast that the size looks the same', async () => {
    await open();
    const wide = async (shown: string | RegExp): Promise<void> => {
      await terminal.waitFor(shown);
      const small = await terminal.capture();
      await terminal.resize(200, 60);
      await terminal.waitFor(/─{150}/);
      await terminal.resize(80, 24);
      await expect.poll(() => terminal.capture(), { timeout: 5000 }).toEqual(small);
      await terminal.resize(200, 60);
      await terminal.resize(80, 24);
      await terminal.resize(40, 10);
      await terminal.resize(80, 24);
      await expect.poll(() => terminal.capture(), { timeout: 5000 }).toEqual(small);
    };
    await wide('Enter search');
    await searchHere();
    await wide('· idle');
    await terminal.keys('t');
    await wide('Finished. Enter compares it with the prediction.');
    await terminal.keys('Enter');
    await wide('Run folder /home/ada/');
    await terminal.keys('Escape');
    await wide('Predictions were off by');
    await terminal.keys('c');
    await wide('Accepted: local is its version 3');
  });

  it('Ctrl-L paints anew what something else has written over', async () => {
    await open();
    await searchHere();
    await terminal.waitFor('· idle');
    const shown = await terminal.capture();
    await terminal.scribble('somebody wrote a message to all\r\nand went on\r\n'.repeat(20));
    await terminal.waitFor('somebody wrote a message');
    await terminal.keys('C-l');
    await expect.poll(() => terminal.capture(), { timeout: 5000 }).toEqual(shown);
  });

  it('Ctrl-Z gives the terminal back, and fg has the screen as it was, in whatever size it is then', async () => {
    await open();
    await searchHere();
    await terminal.waitFor('· idle');
    const shown = await terminal.capture();
    const stopped = async (): Promise<void> => {
      await terminal.keys('C-z');
      await terminal.waitFor(/[Ss]topped/);
      await terminal.waitForPrompt();
      await expectRestored();
    };
    const goesOn = async (): Promise<void> => {
      await terminal.start('fg');
      await expect.poll(() => terminal.capture(), { timeout: 5000 }).toEqual(shown);
      expect(await terminal.modes()).toEqual({ alternateScreen: true, cursorShown: false, wraps: false });
    };
    await stopped();
    await goesOn();
    // Keys are heard, one by one and without an echo.
    await terminal.keys('Down');
    await terminal.waitFor(/❯ +2 +data=1,model=2/);
    await terminal.keys('Up');
    await stopped();
    await terminal.resize(160, 40);
    await terminal.start('fg');
    await terminal.waitFor(/─{150}/);
    await terminal.resize(80, 24);
    await expect.poll(() => terminal.capture(), { timeout: 5000 }).toEqual(shown);
    // As from another terminal.
    await terminal.signal('SIGTSTP');
    await terminal.waitForPrompt();
    await expectRestored();
    await goesOn();
    await terminal.keys('q');
    await terminal.waitFor('left the interface');
    await expectRestored();
  });

  it('shows ASCII in the C locale, and no colours under NO_COLOR', async () => {
    await open({ env: { LANG: 'C', NO_COLOR: '1' } });
    await terminal.keys('Enter');
    const screen = await terminal.waitFor('Found 15 plans');
    expect(screen).toMatch(/^\p{ASCII}*$/u);
    const styled = await stylesOf(terminal);
    expect(styled).toContain('<1>');
    expect(styled).not.toMatch(COLOR);
  });

  it('shows colours beside the glyphs elsewhere', async () => {
    await open();
    await terminal.keys('Enter');
    await terminal.waitFor('Found 15 plans');
    const styled = await stylesOf(terminal);
    expect(styled).toMatch(COLOR);
    expect(styled).toMatch(/<36>█+<33>▒+<35>▚/);
  });

  it('Ctrl-C quits while training', async () => {
    await open({ steps: 100_000 });
    await searchHere();
    await terminal.keys('t');
    await terminal.waitFor(/step \d+ of 100000/);
    await terminal.keys('C-c');
    await terminal.waitFor('left the interface');
    await expectRestored();
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)(
    '%s while training leaves the terminal as it was',
    async (name) => {
      await open({ steps: 100_000 });
      await searchHere();
      await terminal.keys('t');
      await terminal.waitFor(/step \d+ of 100000/);
      await terminal.signal(name);
      await terminal.waitForPrompt();
      // The signal took effect, rather than ending in a return.
      expect((await terminal.capture()).join('\n')).not.toContain('left the interface');
      await expectRestored();
    },
  );

  it.each([
    ['render', 'TypeError'],
    ['timer', 'thrown in a timer'],
  ])('an exception in a %s is printed on the terminal as it was', async (wrong, message) => {
    await open({ wrong });
    await terminal.keys('Enter');
    expect(await terminal.waitForPrompt()).toContain(message);
    await expectRestored();
  });

  it('without a terminal, says so and touches nothing', async () => {
    await open();
    await terminal.keys('C-c');
    await terminal.waitForPrompt();
    await terminal.start('clear; node dist/test/tui/fake-app.js 2>&1 | grep -c "USAGE at standard output"');
    await terminal.waitFor(/^1$/m);
  });
});
