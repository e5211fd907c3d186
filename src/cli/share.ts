/** `add` and `update`: commands that lock what recipes import. */
import { addressText, readAddress, type RemoteAddress } from '../ir/imports/address.ts';
import { lockImports, type Wish } from '../imports/add.ts';
import { rootOf } from '../imports/root.ts';
import { badAddress } from '../messages/import.ts';
import { Fault } from '../diagnostic.ts';
import { print, printJson, Usage, type Flags, type Status } from './shared.ts';

export type ShareFlags = Flags & {
	readonly allowFile?: boolean;
	readonly allowHost?: readonly string[];
};

/** Locks the named imports, or all that the recipes of this repository use; what is locked already stays as it is. */
export async function add(texts: readonly string[], flags: ShareFlags): Promise<Status> {
	const locked = flags.locked === true;
	if (locked && texts.length > 0) throw new Usage('--locked adds nothing: name no imports beside it');
	return locking(
		{
			...permissions(flags),
			addresses: texts.map(remote),
			renew: () => false,
			keepUnused: !locked,
			locked,
			offline: false,
		},
		flags,
	);
}

/** Resolves imports anew, all or the named ones, and drops those that no recipe uses. */
export async function update(texts: readonly string[], flags: ShareFlags): Promise<Status> {
	const renew = (key: string): boolean =>
		texts.length === 0 ||
		texts.some((text) => key === text || key.startsWith(`${text}@`) || key.startsWith(`${text}#`));
	return locking(
		{ ...permissions(flags), addresses: [], renew, keepUnused: false, locked: false, offline: false },
		flags,
	);
}

function permissions({ allowFile, allowHost }: ShareFlags): Pick<Wish, 'allowFile' | 'allowHosts'> {
	return { allowFile: allowFile === true, allowHosts: allowHost ?? [] };
}

function remote(text: string): RemoteAddress {
	const address = readAddress(text);
	if (address.kind === 'bad')
		throw new Fault(badAddress({ address: text, why: address.why, instead: address.instead }));
	if (address.kind === 'file')
		throw new Usage(`\`${addressText(address)}\` is a file of this repository: it needs no lock`);
	return address;
}

async function locking(wish: Wish, flags: ShareFlags): Promise<Status> {
	const { changes, fetched } = await lockImports(rootOf('.'), wish);
	if (flags.json === true)
		printJson({ ...{ schema: 'prunec/add@1', ok: true, changes, fetched }, diagnostics: [] });
	else if (flags.quiet !== true) {
		for (const change of changes) print(change);
		print(changes.length === 0 ? 'prune.lock is up to date' : 'wrote prune.lock');
		if (fetched.length > 0)
			print(`${fetched.length} ${fetched.length === 1 ? 'file' : 'files'} stored in .prunec/imports`);
	}
	return 0;
}
