/** `--locked`: that `prune.lock` says exactly what the recipes of a repository import, without the network. */
import { dirname } from 'node:path';
import { realFolder, rootOf } from '../imports/root.ts';
import { type Flags } from './shared.ts';

/** Throws `Fault` when the lock would change. Does nothing without the flag. */
export async function assertLocked({ locked }: Flags, recipePath = './recipe'): Promise<void> {
	if (locked !== true) return;
	const { lockImports } = await import('../imports/add.ts');
	await lockImports(rootOf(realFolder(dirname(recipePath))), {
		...{ allowFile: false, allowHosts: [], addresses: [], renew: () => false },
		...{ keepUnused: false, locked: true, offline: true },
	});
}
