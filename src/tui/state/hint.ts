/** A key that does something now, as shown at the foot. */
export interface Hint {
  readonly keys: string;
  readonly does: string;
  /** Left out where there is no room for all; help has it. */
  readonly isOptional?: true;
}

/** How the arrow keys are written here. */
export interface Arrows {
  readonly upDown: string;
  readonly leftRight: string;
}
