/**
 * Other models of a folder. Those of the same network, in other precisions or a part of it, each take the recipe by themselves, and go along
 * where they lose the same units: a folder never holds models of one network that were pruned differently. Another network (the decoder
 * beside an encoder) takes the recipe by itself, and stays as it was where the recipe does not work on it.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { networkOf, placeOf, siblingsOf, targetOf } from '../backends/onnx/layout.ts';
import { type Diagnostic } from '../diagnostic.ts';
import { type BuildDocument, type CompileOptions, type StepReport } from '../document.ts';
import {
	networkStays,
	networkTakes,
	olderStands,
	planOfOne,
	siblingsGo,
	siblingStays,
} from '../messages/folder.ts';
import { apartFrom, tellData, updateConfig } from './side-files.ts';

/** Builds one model; with losses, writes it only where its steps have these. */
export type BuildAlike = (options: CompileOptions, losses?: string) => Promise<BuildDocument>;

/** Which units each step takes, as a text to compare. What leaves every output as it was may take others of another file. */
export function lossesOf(
	steps: readonly Pick<StepReport, 'technique' | 'selected' | 'of' | 'removed' | 'exact'>[],
): string {
	return JSON.stringify(
		steps.map(({ technique, selected, of, removed, exact }) =>
			exact === true ? [technique] : [technique, selected, of, removed],
		),
	);
}

/** The document of a folder's model with what became of the others. */
export async function withSiblings(
	document: BuildDocument,
	{ planPath: _, against: __, ...options }: CompileOptions,
	build: BuildAlike,
): Promise<BuildDocument> {
	const { model, out } = options;
	if (!isFolder(document, out)) return document;
	const place = placeOf(model);
	const { root } = targetOf(place, out);
	const others = new Others(options, root, place.folder ?? '', build);
	const names = siblingsOf(place);
	const own = networkOf(place.path);
	await others.go(
		names.filter((name) => networkOf(name) === own),
		document.steps,
	);
	for (const network of new Set(names.map(networkOf)))
		if (network !== own) await others.network(names.filter((name) => networkOf(name) === network));
	if (names.length > 0) tellData(root);
	const decoders = own === 'encoder' ? names.filter((name) => networkOf(name) === 'decoder') : [];
	const apart = decoders.length === 0 ? [] : others.apart(decoders, relative(place.folder ?? '', place.path));
	return { ...document, diagnostics: [...document.diagnostics, ...others.said(), ...apart] };
}

/** A plan is of one file: the others of a folder stay behind. */
export function withoutSiblings(
	document: BuildDocument,
	{ model, out }: Pick<CompileOptions, 'model' | 'out'>,
): BuildDocument {
	if (!isFolder(document, out)) return document;
	const place = placeOf(model);
	const names = siblingsOf(place);
	const older = olderIn(targetOf(place, out).root, names);
	return names.length === 0
		? document
		: { ...document, diagnostics: [...document.diagnostics, planOfOne({ names }), ...older] };
}

/** Models that stay behind, where files of their names stand in the result's folder. */
function olderIn(root: string, names: readonly string[]): Diagnostic[] {
	const standing = names.filter((name) => existsSync(join(root, name)));
	return standing.length === 0 ? [] : [olderStands({ names: standing })];
}

const isFolder = ({ ok, steps }: BuildDocument, out: string | undefined): out is string =>
	ok && steps.length > 0 && out !== undefined && !out.endsWith('.onnx');

class Others {
	private readonly options: CompileOptions;
	private readonly root: string;
	private readonly folder: string;
	private readonly build: BuildAlike;
	private readonly gone: string[] = [];
	private readonly diagnostics: Diagnostic[] = [];

	constructor(options: CompileOptions, root: string, folder: string, build: BuildAlike) {
		this.options = options;
		this.root = root;
		this.folder = folder;
		this.build = build;
	}

	/** Models of a network that has lost what these steps say. */
	async go(names: readonly string[], steps: BuildDocument['steps']): Promise<void> {
		for (const name of names) {
			const failed = whyNot(await this.one(name, lossesOf(steps)));
			if (failed === undefined) this.gone.push(name);
			else this.diagnostics.push(siblingStays({ name, why: failed }), ...olderIn(this.root, [name]));
		}
	}

	/** Another network: the first of its models says what it loses. */
	async network([first = '', ...names]: readonly string[]): Promise<void> {
		const document = await this.one(first);
		const why = whyNot(document);
		if (why !== undefined) return this.stay([first, ...names], why);
		const took = document.steps.map(
			({ statement, selected, of, unit }) => `${statement}: ${selected} of ${of} ${unit}`,
		);
		this.diagnostics.push(networkTakes({ name: first, took }));
		const { model, output } = this.paths(first);
		this.diagnostics.push(
			...updateConfig(this.root, document.steps, {
				...{ model, output, shapes: this.options.shapes ?? new Map() },
			}),
		);
		return this.go(names, document.steps);
	}

	/** What the encoder hands over in another width than before. */
	apart(decoders: readonly string[], encoder: string): readonly Diagnostic[] {
		return apartFrom(decoders, { ...this.paths(encoder), shapes: this.options.shapes ?? new Map() });
	}

	said(): readonly Diagnostic[] {
		return this.gone.length > 0 ? [...this.diagnostics, siblingsGo({ names: this.gone })] : this.diagnostics;
	}

	/** Models of a network that the recipe does not work on, as they were: without them the folder would not load. */
	private async stay(names: readonly string[], why: string): Promise<void> {
		const { recipePath: _, imports: __, params: ___, data: ____, ...options } = this.options;
		for (const name of names) {
			const { model, output } = this.paths(name);
			await this.build({ ...options, recipe: '', verify: false, bench: false, model, out: output });
		}
		this.diagnostics.push(networkStays({ names, why }));
	}

	private one(name: string, losses?: string): Promise<BuildDocument> {
		this.options.onProgress?.(`the same for ${name}`);
		const { model, output } = this.paths(name);
		return this.build({ ...this.options, model, out: output }, losses);
	}

	private paths(name: string): { readonly model: string; readonly output: string } {
		return { model: join(this.folder, name), output: join(this.root, name) };
	}
}

const whyNot = ({ diagnostics }: BuildDocument): string | undefined =>
	diagnostics.find(({ severity }) => severity === 'error')?.message;
