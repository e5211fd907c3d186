/** What can be wrong with the recipes that a recipe uses, and with their lock. */
import { defineDiagnostic } from '../diagnostic.ts';
import { nearest } from './nearest.ts';

type Named = { readonly address: string };

export const badAddress = defineDiagnostic({
	code: 'import/address',
	severity: 'error',
	explain:
		'An import is a relative path to a `.prune` file (`./common/half.prune`), a file of an npm package (`npm:@acme/recipes/half.prune`) or a file of a git repository at a tag or commit (`git+https://host/recipes.git//half.prune#v1.0.0`). Spellings that systems read differently (absolute paths, `..` in the middle, percent signs, backslashes, device names) are refused.',
	message: ({ address, why }: Named & { why: string; instead: string | undefined }) =>
		`cannot import \`${address}\`: ${why}`,
	hint: ({ instead }) => (instead === undefined ? undefined : `as in \`${instead}\``),
});
export const outside = defineDiagnostic({
	code: 'import/outside',
	severity: 'error',
	explain:
		'Imports stay inside the repository they stand in: the nearest folder above the recipe with a `prunec.yaml`, a `prune.lock` or a `.git`, else the folder of the recipe itself; for the files of a package, that package. Links that lead outside are not followed.',
	message: ({ address, root }: Named & { root: string }) => `\`${address}\` leads out of ${root}`,
	hint: () => 'a `prunec.yaml` at the top of the repository says where it begins',
});
export const notFound = defineDiagnostic({
	code: 'import/not-found',
	severity: 'error',
	explain:
		'A relative import is looked for from the folder of the recipe that imports it. Letters are compared with their case.',
	message: ({ address }: Named & { near: readonly string[]; name: string }) =>
		`there is no file \`${address}\``,
	hint: ({ near, name, address }) => {
		const found = nearest(name, near);
		return found === undefined
			? undefined
			: `\`${address.slice(0, address.length - name.length)}${found}\` is the nearest name`;
	},
});
export const notAFile = defineDiagnostic({
	code: 'import/not-a-file',
	severity: 'error',
	explain:
		'Only regular files are imported: no folders, pipes, sockets or devices, and inside packages no links.',
	message: ({ address, what }: Named & { what: string }) => `\`${address}\` is ${what}, not a file`,
});
export const unreadableImport = defineDiagnostic({
	code: 'import/unreadable',
	severity: 'error',
	explain: 'The file is there and the system does not let it be read.',
	message: ({ address, cause }: Named & { cause: string }) => `cannot read \`${address}\`: ${cause}`,
});
export const tooLarge = defineDiagnostic({
	code: 'import/too-large',
	severity: 'error',
	explain: 'A recipe is at most 1 MiB long, and all that a recipe imports at most 8 MiB.',
	message: ({ address, bytes, limit }: Named & { bytes: number; limit: number }) =>
		`\`${address}\` brings ${bytes} bytes, more than ${limit}`,
});
export const notText = defineDiagnostic({
	code: 'import/not-text',
	severity: 'error',
	explain: 'Recipes are text in UTF-8.',
	message: ({ address }: Named) => `\`${address}\` is not text in UTF-8`,
});
export const cycle = defineDiagnostic({
	code: 'import/cycle',
	severity: 'error',
	explain: 'A recipe cannot import itself, directly or through others: it would have no end.',
	message: ({ path }: { path: readonly string[] }) =>
		`an import comes back to where it began: ${path.join(' → ')}`,
});
export const tooDeep = defineDiagnostic({
	code: 'import/too-deep',
	severity: 'error',
	explain: 'Imports of imports go 32 deep at most.',
	message: ({ address, limit }: Named & { limit: number }) =>
		`\`${address}\` lies more than ${limit} imports deep`,
});
export const tooMany = defineDiagnostic({
	code: 'import/too-many',
	severity: 'error',
	explain: 'A recipe imports 256 files at most, those of its imports included.',
	message: ({ address, limit }: Named & { limit: number }) =>
		`\`${address}\` is one file more than the ${limit} that a recipe can import`,
});
export const tooManyStatements = defineDiagnostic({
	code: 'import/too-many-statements',
	severity: 'error',
	explain: 'With its imports applied, a recipe has 100,000 statements at most.',
	message: ({ limit }: { limit: number }) => `the imports applied here make more than ${limit} statements`,
});
export const notLocked = defineDiagnostic({
	code: 'import/not-locked',
	severity: 'error',
	explain:
		'Builds never use the network: what `npm:` and `git+https:` name is fetched by `prunec add`, which writes to `prune.lock` what it resolved to.',
	message: ({ address }: Named) => `\`${address}\` is not in prune.lock`,
	hint: ({ address }) => `prunec add ${address}`,
});
export const notStored = defineDiagnostic({
	code: 'import/not-stored',
	severity: 'error',
	explain:
		'`prune.lock` names files by their hash and `.prunec/imports` holds them. `prunec add --locked` fetches those that are missing, without changing the lock.',
	message: ({ address }: Named) => `\`${address}\` is locked, and its file is not in .prunec/imports`,
	hint: () => 'prunec add --locked',
});
export const changedImport = defineDiagnostic({
	code: 'import/changed',
	severity: 'error',
	explain:
		'A file must have the hash that `prune.lock` gives for it. When the change is meant, `prunec update` locks the new one.',
	message: ({ address, locked, found }: Named & { locked: string; found: string }) =>
		`\`${address}\` is not the file that was locked: ${found}, not ${locked}`,
	hint: () => 'prunec update, when the change is meant',
});
export const lockInvalid = defineDiagnostic({
	code: 'import/lock',
	severity: 'error',
	explain:
		'`prune.lock` is written by `prunec add` and `prunec update`; its schema is grammar/lock.schema.json.',
	message: ({ path, why }: { path: string; why: string }) => `${path} cannot be used: ${why}`,
	hint: () => 'restore it, or remove it and run `prunec add`',
});
export const lockStale = defineDiagnostic({
	code: 'import/lock-stale',
	severity: 'error',
	explain:
		'With `--locked`, as in CI, nothing may change `prune.lock`: what recipes import and what is locked must agree.',
	message: ({ changes }: { changes: readonly string[] }) => `prune.lock would change: ${changes.join('; ')}`,
	hint: () =>
		'run `prunec add` (new imports) or `prunec update` (imports no longer used), and commit prune.lock',
});
export const remoteLocal = defineDiagnostic({
	code: 'import/remote-local',
	severity: 'error',
	explain:
		'A recipe that came from elsewhere imports files of its own repository or from the network, never from this machine.',
	message: ({ address }: Named) =>
		`\`${address}\` is on this machine, and the recipe that imports it is not from here`,
});
export const localRepository = defineDiagnostic({
	code: 'import/local-repository',
	severity: 'error',
	explain:
		'Repositories on this machine are fetched from only when the command line says so: for tests, or before a repository is published.',
	message: ({ address }: Named) => `\`${address}\` is a repository on this machine`,
	hint: () => 'add --allow-file',
});
export const privateHost = defineDiagnostic({
	code: 'import/private-host',
	severity: 'error',
	explain:
		'A recipe from elsewhere must not make this machine talk to its own network: hosts with loopback, link-local or private addresses are fetched from only when the command line names them.',
	message: ({ host, found }: { host: string; found: string }) =>
		`\`${host}\` is in a private network (${found})`,
	hint: ({ host }) => `add --allow-host ${host}`,
});
export const fetchFailed = defineDiagnostic({
	code: 'import/fetch-failed',
	severity: 'error',
	explain: 'The npm client or git could not get a package or repository; what it said stands in the message.',
	message: ({ address, cause }: Named & { cause: string; hint: string | undefined }) =>
		`cannot fetch \`${address}\`: ${cause}`,
	hint: ({ hint }) => hint,
});
export const storeOutside = defineDiagnostic({
	code: 'import/store',
	severity: 'error',
	explain:
		'`.prunec/imports` is a folder inside the repository; a link in its place could make prunec write elsewhere.',
	message: ({ path, why }: { path: string; why: string }) => `cannot store imports in ${path}: ${why}`,
});

export const repeatedUse = defineDiagnostic({
	code: 'import/repeated',
	severity: 'warning',
	explain:
		'A recipe that is used without a name applies once, where it is first used. To apply it again, name it with `as` and `apply` it.',
	message: ({ address }: Named) => `\`${address}\` applies already, further up`,
	hint: ({ address }) => `\`use "${address}" as name\`, then \`apply name\``,
});
export const unusedName = defineDiagnostic({
	code: 'import/unused',
	severity: 'warning',
	explain: 'A recipe that is used under a name does nothing until `apply` names it.',
	message: ({ name }: { name: string }) => `\`${name}\` is never applied`,
	hint: ({ name }) => `\`apply ${name}\``,
});
export const unknownArgument = defineDiagnostic({
	code: 'import/unknown-argument',
	severity: 'error',
	explain: 'What stands in the parentheses of `apply` sets parameters of the recipe that is applied.',
	message: ({ found, recipe }: { found: string; recipe: string; known: readonly string[] }) =>
		`\`${recipe}\` has no parameter \`${found}\``,
	hint: ({ found, known, recipe }) => {
		const near = nearest(found, known);
		if (near !== undefined) return `\`${near}\` is the nearest spelling`;
		return known.length === 0 ? `\`${recipe}\` has no parameters` : `its parameters are ${known.join(', ')}`;
	},
});
export const paramClash = defineDiagnostic({
	code: 'import/param-clash',
	severity: 'error',
	explain:
		'The parameters of a recipe that is used without a name become those of the recipe that uses it, so their names must differ. A recipe that is used with a name keeps its own.',
	message: ({ name, other }: { name: string; other: string }) =>
		`\`${name}\` is a parameter here and in ${other}`,
	hint: ({ name }) => `\`use "…" as part\`, then \`apply part(${name} = …)\``,
});
export const remoteData = defineDiagnostic({
	code: 'import/remote-data',
	severity: 'warning',
	explain:
		'A recipe that came from elsewhere reads no files of this machine. Its `calibrate` is left out; the importing recipe says which inputs to use, or --data does.',
	message: ({ statement, path }: { statement: string; path: string }) =>
		`\`${statement} with "${path}"\` of an imported recipe is left out`,
	hint: ({ statement }) => `the recipe that imports it can say \`${statement} with "…"\``,
});
export const remoteFile = defineDiagnostic({
	code: 'import/remote-file',
	severity: 'error',
	explain:
		'A recipe that came from elsewhere reads no files of this machine, whatever a statement of it would do with them.',
	message: (_: object) => 'a recipe from elsewhere names a file of this machine',
	hint: () => 'write the statement in a recipe of your own',
});
