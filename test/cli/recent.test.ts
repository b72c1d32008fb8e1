import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Recent } from '../../src/cli/recent.js';

test('gives what was made for a key, and makes it anew once as many others were asked for', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(6), { maxLength: 60 }), (most, keys) => {
      const recent = new Recent<number>(most);
      keys.forEach((key, index) => {
        const since = keys.lastIndexOf(key, index - 1);
        const isKnown = index > 0 && since >= 0 && new Set(keys.slice(since, index)).size <= most;
        let made = false;
        recent.get(`${key}`, () => {
          made = true;
          return key;
        });
        expect(made).toBe(!isKnown);
        expect(recent.get(`${key}`, () => -1)).toBe(key);
      });
    }),
  );
});
