/** A rule with a title in it. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import { fit, width as cells } from './words.js';

export function Section(props: { readonly title: string; readonly aside?: string; readonly width: number }): ReactNode {
  const look = useLook();
  const { rule, ellipsis } = look.glyphs;
  const aside = props.aside === undefined ? '' : ` ${props.aside}`;
  const most = Math.max(8, props.width - cells(aside) - 6);
  const title = cells(props.title) > most ? fit(props.title, most, ellipsis) : props.title;
  const left = Math.max(0, props.width - cells(title) - cells(aside) - 4);
  return (
    <Box flexShrink={0} height={1} width={props.width}>
      <Text wrap="truncate">
        <Text dimColor>{rule.repeat(2)} </Text>
        <Text bold {...paint(look, 'accent')}>
          {title}
        </Text>
        <Text dimColor>
          {' '}
          {rule.repeat(left)}
          {aside}
        </Text>
      </Text>
    </Box>
  );
}
