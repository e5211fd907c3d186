/** What the text behind `use` names: a file beside the recipe, a file of an npm package, or a file of a git repository. */

/** A file, seen from the top folder of the place it stands in: `['vit', 'half.prune']`. */
export type FilePath = readonly string[];

/** `./a.prune`, `../b.prune`: `up` folders up from the one that the importing recipe is in, then down. */
export type FileAddress = { readonly kind: 'file'; readonly up: number; readonly path: FilePath };
/** `npm:@acme/recipes/lite.prune`, `npm:@acme/recipes@1.2.0/lite.prune`. */
export type NpmAddress = {
	readonly kind: 'npm';
	readonly name: string;
	/** Exact; absent: what is installed, else the newest. */
	readonly version?: string;
	readonly path: FilePath;
};
/** `git+https://host/recipes.git//vit/half.prune#v1.2.0`. */
export type GitAddress = {
	readonly kind: 'git';
	/** What git is given: `https://host/recipes.git`, or `file:///…`. */
	readonly url: string;
	readonly host: string;
	/** A tag, or a commit of 40 hexadecimal digits. */
	readonly ref: string;
	readonly path: FilePath;
};
export type RemoteAddress = NpmAddress | GitAddress;
export type Address = FileAddress | RemoteAddress;

/** Why a text is no address, and what to write instead. */
export type BadAddress = { readonly kind: 'bad'; readonly why: string; readonly instead?: string };

/** In UTF-16 units. */
const longestAddress = 1024;
const npmName = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
/** Semantic Versioning 2.0.0, without leading zeros being looked at. */
export const npmVersion = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
/** What `git check-ref-format` allows and cannot be taken for an option, a range or a refspec. */
const gitRef = /^[0-9A-Za-z](?:[0-9A-Za-z._+-]|\/(?=[0-9A-Za-z]))*$/;
export const commit = /^[0-9a-f]{40}$/;
/** Device names of Windows, which mean the device in every folder and with any extension. */
const device = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;
const segmentCharacters = /^[\p{L}\p{M}\p{N} ._+@(),=&'!-]+$/u;
/** Folders that hold what tools put there, so that nothing in them is a recipe of the repository. */
const toolFolders: ReadonlySet<string> = new Set(['.git', '.prunec', 'node_modules']);

/** Reads an address; never throws. */
export function readAddress(text: string): Address | BadAddress {
	if (text.length > longestAddress)
		return bad(`it is longer than ${longestAddress} characters`, './name.prune');
	if (text !== text.normalize('NFC')) return bad("its letters are not in Unicode's normal form C");
	if (text.startsWith('npm:')) return readNpm(text.slice(4));
	if (text.startsWith('git+')) return readGit(text.slice(4));
	if (/^\.\.?(?:\/|$)/.test(text)) return readFile(text);
	return noScheme(text);
}

/** What a lock file calls the package or repository of an address. */
export function packageOf(address: RemoteAddress): string {
	if (address.kind === 'git') return `git+${address.url}#${address.ref}`;
	return `npm:${address.name}${address.version === undefined ? '' : `@${address.version}`}`;
}

/** The address as one writes it. */
export function addressText(address: Address): string {
	const path = address.path.join('/');
	switch (address.kind) {
		case 'file':
			return `${address.up === 0 ? './' : '../'.repeat(address.up)}${path}`;
		case 'npm':
			return `${packageOf(address)}/${path}`;
		case 'git':
			return `git+${address.url}//${path}#${address.ref}`;
	}
}

/**
 * The file that a relative address means, from the top of the repository, when the importing recipe is in `folder`.
 * Nothing when it lies outside.
 */
export function within(folder: FilePath, { up, path }: FileAddress): FilePath | undefined {
	return up > folder.length ? undefined : [...folder.slice(0, folder.length - up), ...path];
}

function bad(why: string, instead?: string): BadAddress {
	return { kind: 'bad', why, ...(instead !== undefined && { instead }) };
}

function noScheme(text: string): BadAddress {
	if (text === '') return bad('it is empty', './name.prune');
	if (/^[A-Za-z]:(?![/]{2})/.test(text)) return bad('drives cannot be named', './name.prune');
	if (text.includes('\\')) return bad('folders are separated by `/`', './name.prune');
	if (text.startsWith('/')) return bad('it is an absolute path', './name.prune');
	if (text.startsWith('~')) return bad('it leads to a home folder', './name.prune');
	const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
	if (scheme === 'https') return bad('`https:` is not imported from', `git+${text}//name.prune#v1.0.0`);
	if (scheme !== undefined) return bad(`\`${scheme}:\` is not imported from`, 'npm: or git+https:');
	if (/^[\w@-][\w@./-]*\.prune$/.test(text)) return bad('files begin with `./` or `../`', `./${text}`);
	return bad('it is no relative path', './name.prune');
}

function readFile(text: string): Address | BadAddress {
	const segments = text.split('/');
	const first = segments.findIndex((segment) => segment !== '..' && segment !== '.');
	if (first < 0) return bad('it names a folder', `${text.replace(/\/?$/, '/')}name.prune`);
	const dots = segments.slice(0, first);
	if (dots.includes('.') && dots.length > 1) return bad('`.` stands only at its beginning');
	const path = readPath(segments.slice(first));
	return 'kind' in path ? path : { kind: 'file', up: dots.filter((one) => one === '..').length, path };
}

function readNpm(text: string): Address | BadAddress {
	const example = 'npm:@acme/recipes/lite.prune';
	const match = /^((?:@[^/@]*\/)?[^/@]*)(?:@([^/]*))?\/(.*)$/s.exec(text);
	if (match === null) return bad('it names no file of a package', example);
	const [, name = '', version, rest = ''] = match;
	if (!npmName.test(name) || name.length > 214) return bad('it names no npm package', example);
	if (version !== undefined && !npmVersion.test(version))
		return bad(`\`${version}\` is no exact version`, `npm:${name}@1.2.0/${rest}`);
	const path = readPath(rest.split('/'));
	if ('kind' in path) return path;
	return { kind: 'npm', name, ...(version !== undefined && { version }), path };
}

function readGit(text: string): Address | BadAddress {
	const example = 'git+https://example.org/recipes.git//lite.prune#v1.0.0';
	const match = /^(https|file):\/\/([^#]*?)\/\/([^#]*)#([^#]*)$/s.exec(text);
	if (match === null) return bad(gitShape(text), example);
	const [, scheme = '', place = '', rest = '', ref = ''] = match;
	if (!gitRef.test(ref) || ref.includes('..') || ref.endsWith('.') || /\.lock(?:\/|$)/.test(ref))
		return bad(`\`${ref}\` is no tag or commit`, example);
	const path = readPath(rest.split('/'));
	if ('kind' in path) return path;
	const repository = scheme === 'file' ? localRepository(place) : remoteRepository(place);
	return 'kind' in repository ? repository : { kind: 'git', ...repository, ref, path };
}

/** What is missing of `git+https://host/repository//file#tag`. */
function gitShape(text: string): string {
	const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
	if (scheme !== 'https' && scheme !== 'file') return 'repositories are fetched over `git+https:`';
	if (!text.includes('#')) return 'it names no tag or commit behind `#`';
	return 'it names no file behind `//`';
}

type Repository = { readonly url: string; readonly host: string };

/** The parts of a URL that could mean something else to git or to a server are refused, not cleaned. */
function remoteRepository(place: string): Repository | BadAddress {
	const [authority = '', ...folders] = place.split('/');
	if (authority.includes('@')) return bad('names and passwords do not belong in a recipe');
	if (!/^[A-Za-z0-9.[\]:_-]+$/.test(authority) || !URL.canParse(`https://${authority}/`))
		return bad(`\`${authority}\` is no host`);
	const { host, hostname } = new URL(`https://${authority}/`);
	const spelled = authority.toLowerCase().replace(/:443$/, '');
	if (host !== spelled) return bad(`\`${authority}\` is another way to write \`${host}\``);
	if (folders.length === 0 || !folders.every((one) => /^[\w~][\w.~+-]*$/.test(one)))
		return bad('the path of its repository is no plain one');
	return { url: `https://${host}/${folders.join('/')}`, host: hostname };
}

function localRepository(place: string): Repository | BadAddress {
	const folders = place.split('/').slice(1);
	if (!place.startsWith('/') || !folders.every((one) => /^[\w~][\w.~+ -]*$/.test(one)))
		return bad(
			'a local repository is named by a plain absolute path',
			'git+file:///srv/recipes.git//lite.prune#v1.0.0',
		);
	return { url: `file://${place}`, host: '' };
}

/** The path of a recipe inside a repository or package, without any way up. */
function readPath(segments: readonly string[]): FilePath | BadAddress {
	for (const segment of segments) {
		const why = segmentProblem(segment);
		if (why !== undefined) return bad(why);
	}
	const name = segments.at(-1) ?? '';
	if (!/[^.]\.prune$/.test(name))
		return bad('it names no `.prune` file', `${name.replace(/\.\w*$/, '') || 'name'}.prune`);
	return segments;
}

function segmentProblem(segment: string): string | undefined {
	if (segment === '') return 'a folder in it has no name';
	if (segment === '..' || segment === '.')
		return `\`${segment}\` stands only at the beginning of a relative path`;
	const strange = [...segment].find((character) => !segmentCharacters.test(character));
	if (strange === '\\') return 'folders are separated by `/`';
	if (strange !== undefined) return `${named(strange)} cannot stand in a path`;
	if (/[. ]$|^ /.test(segment))
		return `\`${segment}\` begins or ends with a space or a dot that some systems drop`;
	if (device.test(segment)) return `\`${segment}\` is a device on Windows`;
	if (toolFolders.has(segment.toLowerCase())) return `\`${segment}\` holds no recipes of the repository`;
	return segment.length > 255 ? 'a name in it is longer than 255 characters' : undefined;
}

function named(character: string): string {
	return /[\p{C}\p{Z}]/u.test(character)
		? `the character U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
		: `\`${character}\``;
}
