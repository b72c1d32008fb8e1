import { describe, expect, test } from 'vitest';
import {
  dollars,
  formatDollars,
  formatDuration,
  formatJoules,
  joules,
  parseQuantity,
  seconds,
} from '../../src/units.js';

describe('money and energy', () => {
  test('a price is per hour, and nothing else', () => {
    expect(parseQuantity('3.22 USD/h', 'price', 'here')).toBe(3.22);
    expect(() => parseQuantity('3.22 USD', 'price', 'here')).toThrow(/QUANTITY_INVALID at here/);
    expect(() => parseQuantity(3.22, 'price', 'here')).toThrow(/QUANTITY_INVALID at here/);
  });

  test('energy is printed as it is billed', () => {
    expect(formatJoules(joules(3.6e6))).toBe('1 kWh');
    expect(formatJoules(joules(3.6e15 / 4))).toBe('250 GWh');
  });

  test('sums are printed in dollars, large ones in millions', () => {
    expect(formatDollars(dollars(950))).toBe('950 USD');
    expect(formatDollars(dollars(4.564e6))).toBe('4.56 million USD');
  });

  test.each([
    [86400 * 30, '30 days'],
    [4500, '1.25 hours'],
    [90, '1.5 minutes'],
    [12, '12 seconds'],
  ])('%d s is %s', (value, text) => expect(formatDuration(seconds(value))).toBe(text));
});
