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

  it('enters the alternate screen, without a cursor and without wrapping, and leaves it as it was, once', () => {
    const painter = new Painter(output, { ascii: false });
    painter.open();
    expect(written.join('')).toContain('\u001B[?1049h\u001B[?25l\u001B[?7l');
    written.length = 0;
    painter.close();
    painter.close();
    expect(written).toEqual(['\u001B[0m\u001B[?7h\u001B[?25h\u001B[?1049l']);
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

  it('asked to paint anew, clears the screen and writes the last frame in full, in one piece', () => {
    const painter = open();
    painter.frame('one\ntwo');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    written.length = 0;
    painter.repaint();
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/^\S+2026h.*\[2J.*one.*two.*2026l$/s);
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written).toHaveLength(1);
  });

  it('opened again after it was closed, even in the midst of a frame time, paints what was to be painted', () => {
    const painter = open();
    painter.frame('one\ntwo');
    painter.frame('one\n2');
    painter.close();
    painter.open();
    painter.repaint();
    written.length = 0;
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written.join('')).toMatch(/one.*2.*2026l$/s);
  });

  it('a frame of before a resize is not painted where one of the new size follows it', () => {
    const painter = open();
    painter.frame('wide one\nwide two');
    vi.advanceTimersByTime(10 * FRAME_MILLISECONDS);
    written.length = 0;
    painter.repaint();
    painter.frame('wide one\nwide two');
    painter.frame('one\ntwo');
    vi.advanceTimersByTime(FRAME_MILLISECONDS);
    expect(written.join('')).toMatch(/one.*two/s);
    expect(written.join('')).not.toContain('wide');
  });

  it.each(['a wide line', 'less'])('what is on the screen is the last frame, whatever sizes there were: %s', (wide) => {
    // A terminal of which nothing is known but that a repaint clears it, and that lines stay on their rows.
    let rows: string[] = [];
    const screen = {
      rows: 3,
      write(text: string) {
        if (text.includes('\u001B[2J')) rows = [];
        let row = 0;
        for (const sequence of text.split('\u001B[')) {
          row = Number(/^(\d+);1H$/.exec(sequence)?.[1] ?? row);
          if (sequence.startsWith('2K')) rows[row - 1] = sequence.slice('2K'.length);
        }
        return true;
      },
    };
    const painter = new Painter(screen, { ascii: false });
    painter.open();
    for (const frame of ['one\n\nthree', `${wide}\n\n${wide}`, 'one\n\nthree']) {
      rows = [...rows, 'what the terminal made of it'];
      painter.repaint();
      painter.frame(frame);
      vi.advanceTimersByTime(2 * FRAME_MILLISECONDS);
    }
    expect(Array.from({ length: 3 }, (_, row) => rows[row] ?? '')).toEqual(['one', '', 'three']);
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
