import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differingOptions, fitWords, labelParts, planWords, shortLabel } from '../../src/tui/state/labels.js';

const LABEL = 'data=64,model=16 microbatches=8 rematerialize=full linears=bidirectional';

/** Whether all of some words are among others, in their order. */
const isWithin = (some: readonly string[], all: readonly string[]): boolean =>
  all.reduce((at, word) => (word === some[at] ? at + 1 : at), 0) === some.length;

describe('a label', () => {
  it('is read as its mesh, its count of microbatches and its options', () => {
    expect(labelParts(LABEL)).toEqual({
      mesh: 'data=64,model=16',
      microbatches: '8',
      options: ['rematerialize=full', 'linears=bidirectional'],
    });
    expect(labelParts('data=64')).toEqual({ mesh: 'data=64', microbatches: '1', options: [] });
  });

  it('is read dimension by dimension, axes among them', () => {
    expect(planWords('data=64,model=16 stage-layers=7,8').map(({ name, value }) => `${name} ${value}`)).toEqual([
      'data 64',
      'model 16',
      'stage-layers 7,8',
    ]);
  });

  it('is in full where there is room, then in short words, then as many of them as fit', () => {
    expect(shortLabel(LABEL, 80)).toBe(LABEL);
    expect(shortLabel(LABEL, 60)).toBe('data=64,model=16 mb=8 remat=full linears=bidir');
    expect(shortLabel(LABEL, 40)).toBe('data=64,model=16 mb=8 remat=full +1');
  });

  it('cut short, consists of whole words of it and how many are left out', () => {
    const word = fc.stringMatching(/^[a-z]{1,9}$/);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), fc.integer({ min: 3, max: 30 }), (words, room) => {
        const fitted = fitWords(words, room).split(' ').filter(Boolean);
        const left = /^\+(\d+)$/.exec(fitted.at(-1) ?? '')?.[1];
        const kept = left === undefined ? fitted : fitted.slice(0, -1);
        return (
          fitted.join(' ').length <= room && isWithin(kept, words) && kept.length + Number(left ?? 0) === words.length
        );
      }),
    );
  });

  it('a word too long for the room leaves it to shorter ones', () => {
    expect(fitWords(['rematerialize-layers=0-11,40-47', 'zb-v', 'zero1'], 12)).toBe('zb-v +2');
    expect(fitWords(['rematerialize-layers=0-11,40-47', 'zb-v', 'zero1'], 14)).toBe('zb-v zero1 +1');
  });

  it('what all plans have does not tell them apart', () => {
    const labels = ['data=2 microbatches=1 linears=ring shard=optimizer', 'model=2 microbatches=2 linears=ring'];
    expect([...differingOptions(labels)]).toEqual(['shard=optimizer']);
  });
});
