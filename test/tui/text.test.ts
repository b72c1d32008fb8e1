import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apportion, curveLines, resample } from '../../src/tui/components/plot.js';
import { fit, share, short, signedPercent, unbroken, wait } from '../../src/tui/components/words.js';
import { toPresses } from '../../src/tui/hooks/use-presses.js';
import { detectLook, toAscii } from '../../src/tui/look.js';
import { character, key } from '../../src/tui/state/press.js';

describe('bars', () => {
  it('segments fill the bar exactly, and whatever is there is seen', () => {
    const values = fc.array(fc.double({ min: 0, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(values, fc.integer({ min: 10, max: 200 }), (parts, width) => {
        const cells = apportion(parts, width);
        if (!parts.some((part) => part > 0)) return cells.every((count) => count === 0);
        const total = cells.reduce((sum, count) => sum + count, 0);
        return total === width && cells.every((count, index) => count >= (parts[index]! > 0 ? 1 : 0));
      }),
    );
  });

  it('cells are in proportion', () => {
    expect(apportion([50, 30, 20], 10)).toEqual([5, 3, 2]);
    expect(apportion([1000, 1], 10)).toEqual([9, 1]);
  });
});

describe('curves', () => {
  it('a falling line goes from the upper left to the lower right', () => {
    const canvas = { width: 4, height: 4, braille: false };
    expect(curveLines([4, 3, 2, 1], canvas, 1, 4)).toEqual(['*   ', ' *  ', '  * ', '   *']);
    expect(curveLines([4, 3, 2, 1], { ...canvas, height: 2, braille: true }, 1, 4)).toEqual(['⠑⢄  ', '  ⠑⢄']);
  });

  it('a level one is drawn in the middle, and none at all where there is nothing', () => {
    expect(curveLines([2, 2], { width: 3, height: 3, braille: false }, 2, 2)).toEqual(['   ', '***', '   ']);
    expect(curveLines([], { width: 2, height: 1, braille: true }, Infinity, -Infinity)).toEqual(['  ']);
  });

  it('resampling keeps the ends of a short series and the mean of a long one', () => {
    expect(resample([0, 10], 5)).toEqual([0, 2.5, 5, 7.5, 10]);
    expect(resample([1, 3, 5, 7], 2)).toEqual([2, 6]);
  });
});

describe('words', () => {
  it('figures read as a person writes them', () => {
    expect([short(874), short(22_700), short(1_180_000)]).toEqual(['874', '22.7 k', '1.18 M']);
    expect([wait(12), wait(200), wait(3900)]).toEqual(['12 s', '3 min 20 s', '1 h 5 min']);
    expect([signedPercent(-0.123), signedPercent(0.04), signedPercent(Number.NaN)]).toEqual(['−12.3 %', '+4.0 %', '-']);
    expect([signedPercent(0.9994), signedPercent(1.312), signedPercent(-0.9999)]).toEqual([
      '+99.9 %',
      '+131 %',
      '−100 %',
    ]);
    expect([share(1, 4), share(1, 1000), share(0, 4)]).toEqual(['25 %', '<1 %', '0 %']);
  });

  it('a text is cut or filled to exactly its cells', () => {
    expect(fit('data=64,model=16', 8, '…')).toBe('data=64…');
    expect(fit('12', 4, '…', 'right')).toBe('  12');
  });

  it('a figure and its unit are not parted', () => {
    expect(unbroken('2.4 % faster: 312 ms less')).toBe('2.4\u00A0% faster: 312\u00A0ms less');
  });

  it('ASCII takes as many cells as what it stands for', () => {
    expect(toAscii('312 µs · 64 × 16 −3 …')).toBe('312 us . 64 x 16 -3 ~');
    expect(toAscii('2.4\u00A0% ❯')).toBe('2.4 % ?');
  });
});

describe('the look of a terminal', () => {
  const unicode = (env: Record<string, string>) => detectLook(env, 'linux').glyphs.braille;

  it('has Unicode where the locale says UTF-8, except on consoles without the glyphs', () => {
    expect(unicode({ LANG: 'en_GB.UTF-8', TERM: 'xterm' })).toBe(true);
    expect(unicode({ LANG: 'de_DE.utf8', TERM: 'xterm' })).toBe(true);
    expect(unicode({ LANG: 'en_GB.UTF-8', LC_ALL: 'C', TERM: 'xterm' })).toBe(false);
    expect(unicode({ LANG: 'en_GB.UTF-8', LC_ALL: '', TERM: 'xterm' })).toBe(true);
    expect(unicode({ TERM: 'xterm' })).toBe(false);
    expect(unicode({ LANG: 'en_GB.UTF-8', TERM: 'linux' })).toBe(false);
  });

  it('has no colours under NO_COLOR, unless that is empty', () => {
    expect(detectLook({ NO_COLOR: '1' }, 'linux').colored).toBe(false);
    expect(detectLook({ NO_COLOR: '' }, 'linux').colored).toBe(true);
  });

  it('its segments differ in glyph, in either set', () => {
    for (const LANG of ['C', 'C.UTF-8']) {
      const { segments, empty } = detectLook({ LANG }, 'linux').glyphs;
      expect(new Set([...segments, empty]).size).toBe(segments.length + 1);
    }
  });
});

describe('key events', () => {
  const none = {
    upArrow: false,
    downArrow: false,
    leftArrow: false,
    rightArrow: false,
    pageDown: false,
    pageUp: false,
    home: false,
    end: false,
    return: false,
    escape: false,
    ctrl: false,
    shift: false,
    tab: false,
    backspace: false,
    delete: false,
    meta: false,
    super: false,
    hyper: false,
    capsLock: false,
    numLock: false,
  };

  it('characters that come together are pressed one by one, control characters among them', () => {
    expect(toPresses('64\r', none)).toEqual([character('6'), character('4'), key('enter')]);
  });

  it('Ctrl-C interrupts, other control keys are nothing', () => {
    expect(toPresses('c', { ...none, ctrl: true })).toEqual([key('interrupt')]);
    expect(toPresses('x', { ...none, ctrl: true })).toEqual([]);
  });

  it('what terminals send for backspace is backspace', () => {
    expect(toPresses('', { ...none, delete: true })).toEqual([key('backspace')]);
  });
});
