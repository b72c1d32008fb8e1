import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FRAME_MILLISECONDS, holdConsole, Painter } from '../../src/tui/terminal.js';

describe('the painter', () => {
  const written: string[] = [];
  const output = {
    rows: 3,
    write(text: string) {
      written.push(text);
      return true;
    },
  };
  const open = (ascii = false): Painter => {
    const painter = new Painter(output, { ascii });
    painter.open();
    written.length = 0;
    return painter;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    written.length = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('enters the alternate screen with the cursor hidden, and leaves both, once', () => {
    const painter = new Painter(output, { ascii: false });
    painter.open();
    expect(written.join('')).toContain('\u001B[?1049h\u001B[?25l');
    written.length = 0;
    painter.close();
    painter.close();
    expect(written).toEqual(['\u001B[0m\u001B[?25h\u001B[?1049l']);
  });

  it('paints at most 30 times a second, and the last frame always', () => {
    const painter = open();
    for (let frame = 0; frame < 1000; frame++) {
      painter.frame(`frame ${frame}`);
      vi.advanceTimersByTime(1);
    }
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written.length).toBeGreaterThan(20);
    expect(written.length).toBeLessThanOrEqual(31);
    expect(written.at(-1)).toContain('frame 999');
  });

  it('writes only the lines that changed, each where it belongs', () => {
    const painter = open();
    painter.frame('one\ntwo\nthree');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    written.length = 0;
    painter.frame('one\n2\nthree');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written.join('')).toContain('\u001B[2;1H');
    expect(written.join('')).not.toContain('one');
  });

  it('writes nothing for the same frame, nothing below the last row, and nothing once closed', () => {
    const painter = open();
    painter.frame('a\nb\nc\nd');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written.join('')).not.toContain('d');
    written.length = 0;
    painter.frame('a\nb\nc\nd');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written).toEqual([]);
    painter.frame('e');
    painter.close();
    written.length = 0;
    vi.advanceTimersByTime(1000);
    painter.frame('late');
    expect(written).toEqual([]);
  });

  it('after a resize the next frame is painted in full', () => {
    const painter = open();
    painter.frame('one\ntwo');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    painter.forget();
    written.length = 0;
    painter.frame('one\ntwo');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written.join('')).toMatch(/one.*two/);
  });

  it('writes ASCII only where the terminal has no more', () => {
    open(true).frame('❯ 312 µs');
    expect(written.join('')).toContain('? 312 us');
  });
});

describe('the console', () => {
  it('is kept off the screen, and given back', () => {
    const before = console.error;
    const release = holdConsole();
    console.error('a warning', 3);
    process.stderr.write('passed over: something\n');
    expect(release()).toEqual(['a warning 3', 'passed over: something']);
    expect(console.error).toBe(before);
    expect(release()).toEqual([]);
  });
});
