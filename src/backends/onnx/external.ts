/** Data of tensors in files beside the model, kept inside the model's folder whatever the model says. */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { causeOf } from '../../files/cause.ts';
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { type Bytes } from '../../ir/graph/graph.ts';
import { externalMissing, externalPath, externalShort } from '../../messages/model.ts';
import { Extent, fileSource, type Source } from './wire.ts';

const refusals: readonly (readonly [RegExp, string])[] = [
	[/^$/, 'is empty'],
	[/\0/, 'holds a NUL'],
	[/^(\/|[A-Za-z]:)/, 'is absolute'],
	[/\\/, 'holds a backslash'],
	[/(^|\/)\.\.(\/|$)/, 'climbs out of its folder'],
	[/^\*?\/?_ORT_/, 'names memory, not a file'],
	[/_ORT_MEM_ADDR_/, 'names memory, not a file'],
];

/** Opens external files once each and hands out extents of them. */
export class ExternalFiles {
	/** Files that cannot be read, each by its location. */
	private readonly missing = new Map<string, Diagnostic>();
	private readonly sources = new Map<string, Source>();
	private readonly model: string;

	constructor(model: string) {
		this.model = model;
	}

	/** What could not be read, and why. */
	get diagnostics(): readonly Diagnostic[] {
		return [...this.missing.values()];
	}

	/** Of all files that were opened. */
	get bytes(): number {
		return [...this.sources.values()].reduce((sum, { length }) => sum + length, 0);
	}

	close(): void {
		for (const source of this.sources.values()) source.close();
	}

	/** The bytes of one tensor; undefined when its file cannot be read. Throws `Fault` for a location that is refused, or a file that is too short. */
	find(
		pairs: readonly (readonly [key: string, value: string])[],
		{ name, length }: { name: string; length: number },
	): Bytes | undefined {
		const entries = new Map(pairs);
		const location = entries.get('location') ?? '';
		const refuse = (why: string): never => {
			throw new Fault(externalPath({ name, location, why }));
		};
		const bad = refusals.find(([pattern]) => pattern.test(location));
		if (bad !== undefined) refuse(bad[1]);
		if (entries.size < pairs.length) refuse('has a key twice');
		const source = this.open(name, location, refuse);
		if (source === undefined) return undefined;
		const offset = wholeNumber(entries.get('offset') ?? '0');
		const said = wholeNumber(entries.get('length') ?? String(length));
		if (Number.isNaN(offset)) refuse('has an impossible offset');
		if (Number.isNaN(said)) refuse('has an impossible length');
		if (said !== length) refuse(`holds ${said} bytes where the tensor needs ${length}`);
		if (offset + length > source.length) {
			const path = join(dirname(this.model), location);
			throw new Fault(
				externalShort({
					...{ name, path, needed: offset + length },
					found: source.length,
					isPointer: isPointer(source),
				}),
			);
		}
		return new Extent(source, offset, length);
	}

	private open(name: string, location: string, refuse: (why: string) => never): Source | undefined {
		const known = this.sources.get(location);
		if (known !== undefined) return known;
		if (this.missing.has(location)) return undefined;
		const path = join(dirname(this.model), location);
		try {
			if (!this.isContained(path)) refuse('leads out of the folder of the model');
			if (!statSync(path).isFile()) refuse('is not a regular file');
			const source = fileSource(path);
			this.sources.set(location, source);
			return source;
		} catch (problem) {
			if (problem instanceof Fault) throw problem;
			const model = basename(this.model);
			this.missing.set(location, externalMissing({ name, path, model, cause: causeOf(problem) }));
			return undefined;
		}
	}

	/** Links are followed; the file must lie in the folder given, or in that of the file the model is a link to. */
	private isContained(path: string): boolean {
		const real = realpathSync(path);
		const homes = [realpathSync(dirname(this.model)), dirname(realpathSync(this.model))];
		return homes.some((home) => real.startsWith(home.endsWith(sep) ? home : home + sep));
	}
}

/** Git LFS leaves a text of this beginning where a file has not been fetched. */
const pointer = 'version https://git-lfs';

function isPointer(source: Source): boolean {
	const head = source.read(0, Math.min(pointer.length, source.length));
	return new TextDecoder().decode(head) === pointer;
}

/** Digits alone, and exact as a number; else NaN. */
function wholeNumber(text: string): number {
	const value = /^\d+$/.test(text) ? Number(text) : NaN;
	return Number.isSafeInteger(value) ? value : NaN;
}
