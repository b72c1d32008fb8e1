/** Measured numbers as a profile has them. */

/** What every number of a measurement gets. */
export interface Mark {
  readonly source: string;
  readonly status: 'measured';
}

/** Nothing takes no time at all: of what was too short to be seen. */
export const SHORTEST = 1e-9;

export const digits = (value: number): number => Number(value.toPrecision(4));
export const microseconds = (value: number): string => `${digits(Math.max(value, SHORTEST) * 1e6)} us`;
export const gigabytes = (value: number): string => `${digits(value / 1e9)} GB/s`;
export const gigaflops = (value: number): string => `${digits(value / 1e9)} GFLOP/s`;
export const share = (value: number): number => Number(value.toPrecision(2));
