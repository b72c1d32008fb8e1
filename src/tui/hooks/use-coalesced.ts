/** Many pieces of news, few repaints. */
import { useCallback, useEffect, useRef } from 'react';

/** @returns a function that collects items and hands them over together, in order, when `milliseconds` are over */
export function useCoalesced<Item>(
  deliver: (items: readonly Item[]) => void,
  milliseconds: number,
): (item: Item) => void {
  const waiting = useRef<Item[]>([]);
  const timer = useRef<NodeJS.Timeout | undefined>(undefined);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  return useCallback(
    (item: Item) => {
      waiting.current.push(item);
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        deliver(waiting.current.splice(0));
      }, milliseconds);
    },
    [deliver, milliseconds],
  );
}
