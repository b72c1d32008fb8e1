/** What became of the candidates of a search. Those that can't be had were never candidates. */
export interface SearchCounts {
  readonly candidates: number;
  /** Their memory is more than a chip has, or than the headroom leaves. */
  readonly doNotFit: number;
  /** Their lower bound is above what was found, for the ranking and for each objective of the front. */
  readonly boundedOut: number;
  readonly simulated: number;
}
