import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differingOptions, fitWords, labelParts, planWords, shortLabel } from '../../src/tui/state/labels.js';

const LABEL = 'data=64,model=16 microbatches=8 rematerialize=full linears=bidirectional';

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
          fitted.join(' ').length <= room &&
          kept.every((one, index) => one === words[index]) &&
          kept.length + Number(left ?? 0) === words.length
        );
      }),
    );
  });

  it('what all plans have does not tell them apart', () => {
    const labels = ['data=2 microbatches=1 linears=ring shard=optimizer', 'model=2 microbatches=2 linears=ring'];
    expect([...differingOptions(labels)]).toEqual(['shard=optimizer']);
  });
});
