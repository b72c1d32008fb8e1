/** How a plan says which dimensions of a torus its axes lie on. */
import { z } from 'zod';
import type { TorusDimension } from '../hardware/index.js';
import { TORUS_DIMENSIONS } from '../hardware/index.js';
import type { AxisName } from '../mesh/index.js';
import { MESH_AXES } from '../mesh/index.js';
import type { Form } from './plan-forms.js';

export type AxisPlacement = Readonly<Partial<Record<AxisName, readonly TorusDimension[]>>>;

const VALUES = `dimensions (${TORUS_DIMENSIONS.join(', ')}) by axis, as in model:x,data:y+z`;

const dimensions = z
  .array(z.enum(TORUS_DIMENSIONS, `dimensions ${TORUS_DIMENSIONS.join(', ')}`), VALUES)
  .min(1, 'at least one dimension')
  .refine((all) => new Set(all).size === all.length, 'each dimension once');

type Input = { readonly [A in AxisName]?: readonly TorusDimension[] | undefined };

/** `{ model: [x], data: [y, z] }`, `model:x,data:y+z`; of several dimensions the first is the most significant. */
export const placement: Form<AxisPlacement, Input> = {
  schema: z
    .strictObject(Object.fromEntries(MESH_AXES.map((name) => [name, dimensions.optional()])), VALUES)
    .refine((input) => Object.keys(input).length > 0, VALUES),
  values: VALUES,
  fromText: (text) => {
    const parts = text.split(',').map((part) => part.split(':'));
    const axes = parts.map(([axis]) => axis);
    if (parts.some(({ length }) => length !== 2) || new Set(axes).size !== axes.length) return text;
    return Object.fromEntries(parts.map(([axis, on]) => [axis, on!.split('+')]));
  },
  toText: (value) =>
    MESH_AXES.flatMap((axis) => (value[axis] === undefined ? [] : [`${axis}:${value[axis].join('+')}`])).join(','),
  fromInput: (input) => Object.fromEntries(Object.entries(input).filter(([, on]) => on !== undefined)) as AxisPlacement,
  toInput: (value) => Object.fromEntries(MESH_AXES.flatMap((axis) => (value[axis] ? [[axis, [...value[axis]]]] : []))),
};
