// SPDX-License-Identifier: Apache-2.0
// The keys of a combobox: arrows open it and move, Enter takes, Escape closes.
import { computed, ref, type Ref } from 'vue';

export function useCombobox<T extends { code: string }>(id: () => string, found: Ref<T[]>, does: { start(): void; choose(item: T): void; leave(): void }) {
  const open = ref(false);
  const active = ref(-1); // nothing is chosen by Enter before something was typed or pointed at

  function key(event: KeyboardEvent): void {
    if (event.isComposing) return; // of the keyboard's own candidates
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open.value) return does.start();
      active.value = Math.max(0, Math.min(found.value.length - 1, active.value + (event.key === 'ArrowDown' ? 1 : -1)));
    } else if (event.key === 'Enter' && open.value) {
      event.preventDefault();
      const item = found.value[active.value];
      if (item) does.choose(item);
    } else if (event.key === 'Escape') does.leave();
  }

  const pointed = computed(() => (open.value && active.value >= 0 && found.value.length > 0 ? `${id()}-o${active.value}` : undefined));
  return { open, active, key, pointed };
}
