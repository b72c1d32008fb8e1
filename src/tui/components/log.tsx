/** What happened, the newest below, as much as there is room for. */
import { Text } from 'ink';
import type { ReactNode } from 'react';
import type { Hue } from '../look.js';
import { paint, useLook } from '../look.js';
import type { LogLine } from '../state/log.js';
import { Section } from './section.js';

const HUES: Readonly<Record<LogLine['tone'], Hue | undefined>> = { plain: undefined, good: 'good', warn: 'warn' };

export function Log(props: {
  readonly lines: readonly LogLine[];
  readonly width: number;
  readonly isHeaded: boolean;
  /** Lines below the heading. */
  readonly height: number;
}): ReactNode {
  const look = useLook();
  return (
    <>
      {props.isHeaded && <Section title="Log" width={props.width} />}
      {props.lines.slice(-props.height).map(({ step, text, times, tone }, index) => {
        const hue = HUES[tone];
        return (
          <Text key={index} wrap="truncate-middle">
            <Text dimColor>{`step ${step}`.padEnd(10)}</Text>
            <Text {...(hue === undefined ? {} : paint(look, hue))}>{text}</Text>
            {times > 1 && <Text dimColor> ({times} times)</Text>}
          </Text>
        );
      })}
    </>
  );
}
