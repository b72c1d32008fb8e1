import { describe, expect, it } from 'vitest';
import { initialApp, reduce } from '../../src/tui/state/app.js';
import { fuzzyMatches } from '../../src/tui/state/fuzzy.js';
import { ladder, matches, readTask } from '../../src/tui/state/pick.js';
import type { KeyName } from '../../src/tui/state/press.js';
import { character, key } from '../../src/tui/state/press.js';
import type { AppState } from '../../src/tui/state/types.js';
import { fakeServices } from './fake-services.js';

const SIZE = { columns: 80, rows: 24 };
const services = fakeServices({ tick: () => Promise.resolve(), steps: 3 });
const keys = (state: AppState, ...names: KeyName[]): AppState =>
  names.reduce((before, name) => reduce(before, { type: 'press', press: key(name), size: SIZE }), state);
const typed = (state: AppState, text: string): AppState =>
  [...text].reduce((before, one) => reduce(before, { type: 'press', press: character(one), size: SIZE }), state);
const start = (): AppState => initialApp(services, { chips: 1024, batch: 65_536 });

describe('a fuzzy filter', () => {
  const choices = ['llama-3-8b', 'llama-2-70b', 'llama-3-70b', 'vit-22b'].map((name) => ({ name, about: `a ${name}` }));
  const names = (filter: string): string[] => fuzzyMatches(choices, filter).map(({ name }) => name);

  it('means a name by some of its letters in their order', () => {
    expect(names('v22')).toEqual(['vit-22b']);
    expect(names('l38')).toEqual(['llama-3-8b']);
    expect(names('22v')).toEqual([]);
  });

  it('has what it names exactly before what has it in it, and that before what has its letters', () => {
    const of = [
      { name: 'gpt2-xl', about: '' },
      { name: 'gpt-xl', about: 'not gpt2' },
      { name: 'gpt2', about: '' },
    ];
    expect(fuzzyMatches(of, 'gpt2').map(({ name }) => name)).toEqual(['gpt2', 'gpt2-xl', 'gpt-xl']);
  });

  it('every word of it counts; without one, all are left as they were', () => {
    expect(names('llama 70')).toEqual(['llama-2-70b', 'llama-3-70b']);
    expect(names(' ')).toEqual(choices.map(({ name }) => name));
  });
});

describe('files of one’s own', () => {
  const withFiles = (before = start()): AppState =>
    reduce(before, {
      type: 'answer',
      answer: {
        type: 'files',
        models: [{ name: './mine.yaml', about: 'job file', fills: { hardware: 'h100-sxm', chips: 64, batch: 512 } }],
        hardware: [{ name: './chip.yaml', about: 'profile' }],
      },
    });

  it('are among the choices, and leave the chosen one chosen', () => {
    const { pick } = withFiles();
    expect(pick.model.choices.at(-1)?.name).toBe('./mine.yaml');
    expect(pick.model.chosen).toBe('vit-22b');
  });

  it('one whose path was begun to be typed before files were found is chosen; a path that was settled on stays', () => {
    const begun = typed(start(), './min');
    expect(begun.pick.model.chosen).toBe('./min');
    expect(withFiles(begun).pick.model.chosen).toBe('./mine.yaml');
    expect(withFiles(keys(typed(start(), './other.yaml'), 'tab')).pick.model.chosen).toBe('./other.yaml');
  });

  it('a job file fills the other fields when it is chosen, once', () => {
    const chosen = keys(typed(withFiles(), 'mine'), 'tab');
    expect(readTask(chosen.pick)).toEqual({
      task: { model: './mine.yaml', hardware: 'h100-sxm', chips: 64, batch: 512 },
    });
    const changed = keys(typed(keys(chosen, 'tab'), '128'), 'tab', 'tab', 'tab');
    expect(readTask(changed.pick)).toMatchObject({ task: { model: './mine.yaml', chips: 128 } });
  });

  it('and Enter searches for what it says at once', () => {
    expect(keys(typed(withFiles(), 'mine'), 'enter').work).toMatchObject({
      task: { model: './mine.yaml', hardware: 'h100-sxm', chips: 64 },
    });
  });

  it('a path that is typed is a choice of its own', () => {
    const state = typed(start(), '../jobs/big.yaml');
    expect(matches(state.pick.model).map(({ name }) => name)).toEqual(['../jobs/big.yaml']);
    expect(keys(state, 'enter').work).toMatchObject({ task: { model: '../jobs/big.yaml' } });
  });

  it('/ begins a filter here as it does elsewhere', () => {
    expect(typed(start(), '/tiny').pick.model.chosen).toBe('vit-tiny');
  });
});

describe('numbers around the one in a field', () => {
  it('double upwards and halve downwards for as long as they are whole', () => {
    expect(ladder('chips', 12)).toEqual([384, 192, 96, 48, 24, 12, 6, 3]);
    expect(ladder('chips', 800_000)[0]).toBe(800_000);
  });
});
