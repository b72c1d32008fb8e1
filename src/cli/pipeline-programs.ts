/** The programs of a pipeline, each once, with what runs it. */
import type { Plan } from '../job/index.js';
import { scheduleShape } from '../job/index.js';
import type { TrainingPipeline, Program } from '../program/index.js';
import { placeOf } from '../program/schedules/index.js';

export interface TitledProgram {
  readonly title: string;
  readonly program: Program;
}

/** `forward of stages 1…6`, in the order in which a microbatch passes them, then what stages do around their slots. */
export function pipelinePrograms({ virtual, stages }: TrainingPipeline, plan: Plan): TitledProgram[] {
  const shape = scheduleShape(plan);
  const found = new Map<Program, { readonly what: string; readonly where: string[] }>();
  const add = (program: Program, what: string, where: string): void => {
    const known = found.get(program) ?? { what, where: [] };
    if (!known.where.includes(where)) known.where.push(where);
    found.set(program, known);
  };
  virtual.forEach(({ slots, last }, index) => {
    const { stage, chunk } = placeOf(shape, index);
    const where = shape.chunks === 1 ? `stage ${stage}` : `stage ${stage} chunk ${chunk}`;
    for (const [kind, program] of Object.entries(slots)) add(program, kind, where);
    for (const [kind, program] of Object.entries(last)) add(program, `last ${kind}`, where);
  });
  stages.forEach(({ start, finish }, stage) => {
    add(start, 'start', `stage ${stage}`);
    finish.forEach((program, index) =>
      add(program, finish.length > 1 ? `finish ${index + 1}` : 'finish', `stage ${stage}`),
    );
  });
  return [...found].map(([program, { what, where }]) => ({ title: `${what}: ${where.join(', ')}`, program }));
}
