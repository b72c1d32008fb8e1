/** Which of several plans nothing else beats in every respect. Objectives are numbers, each better the smaller. */
export type Objectives = readonly number[];

/** Whether one is as good in every objective, and better in some. */
export function dominates(one: Objectives, other: Objectives): boolean {
  let better = false;
  for (let index = 0; index < one.length; index++) {
    if (one[index]! > other[index]!) return false;
    if (one[index]! < other[index]!) better = true;
  }
  return better;
}

/** The points that no other dominates, in the order that they were added; of equal ones all are kept. */
export class Front<T> {
  #points: { readonly value: T; readonly objectives: Objectives }[] = [];

  get values(): readonly T[] {
    return this.#points.map(({ value }) => value);
  }

  dominates(objectives: Objectives): boolean {
    return this.#points.some((point) => dominates(point.objectives, objectives));
  }

  add(value: T, objectives: Objectives): void {
    if (this.dominates(objectives)) return;
    this.#points = this.#points.filter((point) => !dominates(objectives, point.objectives));
    this.#points.push({ value, objectives });
  }
}
