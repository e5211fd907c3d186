/** What lies beside a model, after its structure has changed: the configuration, the tokenizer, the dictionary. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
	modelsOf,
	networkOf,
	targetOf,
	type Network,
	type Place,
	type SideFile,
	type Target,
} from '../backends/onnx/layout.ts';
import { loadStructure } from '../backends/onnx/load.ts';
import { changedConfig, structureOf, widthsChanged, type Changed, type Structure } from './config-file.ts';
import { readSettings, pathBeside, type Settings } from '../data/beside.ts';
import { Stage } from '../files/stage.ts';
import { type Diagnostic } from '../diagnostic.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { type Model } from '../ir/graph/graph.ts';
import { configWritten, networksApart, scoresRenumbered } from '../messages/folder.ts';
import { withPooling } from './pooling.ts';
import { classesBeside, classLines } from '../data/lexicon.ts';
import { shortened } from '../data/text-lengths.ts';
import { trimmedVocabulary } from '../data/trim-vocabulary.ts';

/** Ids that steps have removed, of how many. */
type Lost = { readonly unit: string; readonly of: number; readonly ids: ReadonlySet<number> };

type Step = {
	readonly technique: string;
	readonly requested: string;
	readonly selected: number;
	readonly unit: string;
	readonly of: number;
	readonly removed: readonly { readonly units: readonly number[] }[];
};

/** Where a result goes, with what lies beside it there, and what is to be said of that. */
export function sidesOf(
	place: Place,
	out: string,
	steps: readonly Step[],
	{ original, result, shapes }: { readonly original: Model; readonly result: Model; readonly shapes: Shapes },
): { readonly target: Target; readonly notes: readonly Diagnostic[] } {
	const lost = lostIn(steps);
	const positions = positionsLeft(steps);
	const plain = withLengths(withSides(targetOf(place, out), place.path, lost), positions);
	if (plain.sides.length === 0) return { target: plain, notes: [] };
	if (original === result) {
		const settings = settingsOf(plain);
		return { target: settings === undefined ? plain : withSettings(plain, settings), notes: [] };
	}
	const [before, after] = [structureOf(original, shapes), structureOf(result, shapes)];
	const widths = widthsChanged(before, after);
	const { sides, unfit } = withPooling(plain.sides, widths);
	const change = { before, after, positions, lost, network: networkOf(place.path), unfit };
	const { target, notes } = withConfig({ ...plain, sides }, change);
	return { target, notes: [...notes, ...renumbered(widths, lost)] };
}

/** Scores that have no column any more for some of the tokens. */
function renumbered(widths: ReturnType<typeof widthsChanged>, lost: Lost | undefined): Diagnostic[] {
	const fewer = widths.find(({ from }) => lost?.unit === 'tokens' && from === lost.of);
	return fewer === undefined ? [] : [scoresRenumbered(fewer)];
}

/** What is to be said of an encoder whose result a decoder beside it was not made for. */
export function apartFrom(
	decoders: readonly string[],
	{ model, output, shapes }: { readonly model: string; readonly output: string; readonly shapes: Shapes },
): readonly Diagnostic[] {
	const changed = widthsChanged(structureAt(model, shapes), structureAt(output, shapes));
	return changed.map((one) => networksApart({ ...one, decoders }));
}

/** What statements about vocabularies have removed, in the model's own ids; undefined when nothing. */
function lostIn(steps: readonly Step[]): Lost | undefined {
	const own = steps.filter(({ technique }) => technique === 'prune-vocab');
	const ids = new Set(own.flatMap(({ removed }) => removed.flatMap(({ units }) => units)));
	const [first] = own;
	return first === undefined || ids.size === 0 ? undefined : { unit: first.unit, of: first.of, ids };
}

/** The positions that `prune positions keep 128` has left; undefined where nothing has gone. */
function positionsLeft(steps: readonly Step[]): number | undefined {
	const own = steps.filter(({ technique, selected }) => technique === 'prune-positions' && selected > 0);
	const [, count] = /^keep (\d+)/.exec(own.at(-1)?.requested ?? '') ?? [];
	return count === undefined ? undefined : Number(count);
}

type Reshaped = {
	readonly before: Structure;
	readonly after: Structure;
	readonly positions: number | undefined;
	readonly lost: Lost | undefined;
	readonly network: Network;
	/** Loaders that what lies beside the model keeps from reading the result. */
	readonly unfit: Changed['unfit'];
};

/** The target with a `config.json` that says what the model has now, and what is to be said of it; only where a folder is written. */
function withConfig(
	target: Target,
	{ before, after, positions, lost, network, unfit }: Reshaped,
): { readonly target: Target; readonly notes: readonly Diagnostic[] } {
	const settings = settingsOf(target);
	if (settings === undefined) return { target, notes: [] };
	const changed = changedConfig(settings, before, after, positions, network);
	const own = lost?.unit === 'classes' ? withoutLabels(changed.settings, lost) : changed.settings;
	return {
		target: withSettings(target, own),
		notes: said({ ...changed, unfit: [...changed.unfit, ...unfit] }),
	};
}

const configOf = ({ sides }: Target): SideFile | undefined =>
	sides.find(({ name }) => name === 'config.json');

function settingsOf(target: Target): Settings | undefined {
	const side = configOf(target);
	return side && objectIn(Buffer.from(side.read(false)).toString());
}

/** The target with these settings, and where its weights are; a file that says so already keeps its bytes. */
function withSettings(target: Target, settings: Settings): Target {
	const side = configOf(target);
	const read = (outside: boolean): Uint8Array => {
		const given = Buffer.from(side?.read(outside) ?? []);
		const now = withData(settings, new Map([[target.name, outside]]));
		return sameSettings(objectIn(given.toString()), now) ? given : bytesOf(now);
	};
	return { ...target, sides: [...target.sides.filter((one) => one !== side), { name: 'config.json', read }] };
}

const bytesOf = (settings: Settings): Uint8Array =>
	Buffer.from(`${JSON.stringify(settings, undefined, 2)}\n`);

const sameSettings = (one: Settings | undefined, other: Settings): boolean =>
	JSON.stringify(one) === JSON.stringify(other);

/** Rewrites the `config.json` of a folder that was written just now by what another network of it has lost, and says so. */
export function updateConfig(
	root: string,
	steps: readonly Step[],
	{ model, output, shapes }: { readonly model: string; readonly output: string; readonly shapes: Shapes },
): readonly Diagnostic[] {
	const settings = settingsAt(root);
	if (settings === undefined) return [];
	const [before, after] = [structureAt(model, shapes), structureAt(output, shapes)];
	const changed = changedConfig(settings, before, after, undefined, networkOf(model));
	if (changed.changes.length > 0) writeSettings(root, changed.settings);
	return [...said(changed), ...renumbered(widthsChanged(before, after), lostIn(steps))];
}

/** Has the `config.json` of a folder that was written say of each model there whether its weights lie beside it. */
export function tellData(root: string): void {
	const settings = settingsAt(root);
	if (settings === undefined) return;
	const isOutside = (name: string): boolean => existsSync(join(root, `${name}_data`));
	const now = withData(settings, new Map(modelsOf(root).map((name) => [name, isOutside(name)])));
	if (!sameSettings(settings, now)) writeSettings(root, now);
}

function settingsAt(root: string): Settings | undefined {
	const path = join(root, 'config.json');
	return existsSync(path) ? objectIn(readFileSync(path, 'utf8')) : undefined;
}

function writeSettings(root: string, settings: Settings): void {
	const bytes = bytesOf(settings);
	const stage = new Stage(root, { force: true });
	stage.write('config.json', [bytes], bytes.length);
	stage.commit();
}

function structureAt(path: string, shapes: Shapes): Structure {
	const { model, file } = loadStructure(path);
	try {
		return structureOf(model, shapes);
	} finally {
		file.close();
	}
}

/** A configuration that is no JSON object is copied like any other file. */
function objectIn(text: string): Settings | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null && !Array.isArray(value)
			? (value as Settings)
			: undefined;
	} catch {
		return undefined;
	}
}

function said({ changes, uneven, below, unfit }: Changed): Diagnostic[] {
	if (changes.length + uneven.length + below.length + unfit.length === 0) return [];
	const loaders = ['onnxruntime', 'transformers.js', 'optimum'];
	return [
		configWritten({
			changes: changes.map(({ key, from, to }) => `${key} ${from} → ${to}`),
			uneven: uneven.map(({ key, each }) => `${key} (${each.join(', ')})`),
			below,
			fits: loaders.filter((one) => !unfit.some(({ loader }) => loader === one)),
			unfit: unfit.map(({ loader, why }) => `${loader}: ${why}`),
		}),
	];
}

/**
 * Transformers.js fetches weights beside a model only where this says so: once for all models of a folder, or by file where they differ or
 * the settings did so before. A name without its ending would speak of files that are not there too.
 *
 * @param files whether weights lie beside each model.
 */
export function withData(settings: Settings, files: ReadonlyMap<string, boolean>): Settings {
	const own = (settings['transformers.js_config'] ?? {}) as Settings;
	const old = own['use_external_data_format'];
	const [outside = false, ...others] = files.values();
	const isAlike = others.every((one) => one === outside);
	if (old === undefined && isAlike && !outside) return settings;
	const each = [...files].map(([name, beside]) => [basename(name), beside] as const);
	const format = typeof old !== 'object' && isAlike ? outside : Object.fromEntries(each);
	return { ...settings, 'transformers.js_config': { ...own, use_external_data_format: format } };
}

/** Labels that stay, under their new numbers. */
function withoutLabels(settings: Settings, { ids, of }: Lost): Settings {
	const labels = Object.entries((settings['id2label'] ?? {}) as Readonly<Record<string, string>>);
	if (labels.length !== of) return settings;
	const kept = labels.filter(([id]) => !ids.has(Number(id))).map(([, label]) => label);
	return {
		...settings,
		id2label: Object.fromEntries(kept.map((label, id) => [id, label])),
		label2id: Object.fromEntries(kept.map((label, id) => [label, id])),
		...(settings['num_labels'] !== undefined && { num_labels: kept.length }),
	};
}

/** The target with its side files as the result needs them. A dictionary goes along with a lone file too, as `<model>.keys.txt`. */
function withSides(target: Target, model: string, lost: Lost | undefined): Target {
	if (lost === undefined) return target;
	if (lost.unit === 'tokens') return { ...target, sides: withVocabulary(target.sides, model, lost) };
	const changed = dictionaryOf(model, target, lost);
	if (changed === undefined) return target;
	return { ...target, sides: [...target.sides.filter(({ name }) => name !== changed.name), changed] };
}

/** The target with a tokenizer that gives no more tokens than there are positions. */
function withLengths(target: Target, positions: number | undefined): Target {
	if (positions === undefined) return target;
	const sides = target.sides.map((side) => {
		const given = Buffer.from(side.read(false)).toString();
		const text = objectIn(given) && shortened(side.name, given, positions);
		return text === undefined ? side : textFile(side.name, text);
	});
	return { ...target, sides };
}

const textFile = (name: string, text: string): SideFile => ({ name, read: () => Buffer.from(text) });

/** Files of a tokenizer, where they lie beside the model, without what is gone; the others as they are. */
function withVocabulary(sides: readonly SideFile[], model: string, { ids }: Lost): readonly SideFile[] {
	const read = (name: string): string | undefined => {
		const path = pathBeside(model, name);
		if (path === undefined) return undefined;
		if (name.endsWith('.json')) readSettings(path);
		return readFileSync(path, 'utf8');
	};
	const changed = trimmedVocabulary(read, ids);
	return sides.map((side) => {
		const text = changed.get(side.name);
		return text === undefined ? side : textFile(side.name, text);
	});
}

function dictionaryOf(model: string, { name: file, sides }: Target, { ids, of }: Lost): SideFile | undefined {
	const classes = classesBeside(model, of);
	if (classes === undefined) return undefined;
	const goesAlong = sides.some(({ name }) => name === classes.name);
	const own = join(dirname(file), `${basename(file, '.onnx')}.keys.txt`);
	const lines = classLines(classes, (id) => !ids.has(id));
	return textFile(goesAlong ? classes.name : own, lines.map((line) => `${line}\n`).join(''));
}
