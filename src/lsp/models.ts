/** The models that `prunec.yaml` names, seen through a statement: what it would find there, without scores. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadStructure } from '../backends/onnx/load.ts';
import { Fault } from '../diagnostic.ts';
import { rootOf } from '../imports/root.ts';
import { findAnatomy, type Anatomy } from '../ir/anatomy/anatomy.ts';
import { buildNet, type Net } from '../ir/axes/net.ts';
import { matchesGlob } from '../ir/glob.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { positionsInWords } from '../ir/recipe/ranges.ts';
import { type Predicate, type Recipe, type Step, type Term } from '../ir/recipe/recipe.ts';
import { layersInScope } from '../passes/scope.ts';
import { techniques } from '../passes/table.ts';
import { firstNumbering, type PlanRequest, type StepPlan } from '../passes/technique.ts';
import { modelPath, type Project, readProject, readTests, YamlFault } from '../project/project.ts';
import { folderOf, type Analysis } from './analysis.ts';

/** A model of the repository, its name in `prunec.yaml`, and its structure. */
type Known = { readonly name: string; readonly net: Net; readonly anatomy: Anatomy };

/** What is said of one model. */
export type Seen = { readonly model: string; readonly says: string };

/** At most so many are opened for one recipe. */
const most = 3;

export class Models {
	private readonly opened = new Map<string, { readonly changed: number; readonly known: Known }>();
	private scratch: string | undefined;

	/** Layers of the models, the most first; none without a repository. */
	layerCounts(analysis: Analysis): readonly number[] {
		const counts = this.of(analysis).flatMap((one) => ('says' in one ? [] : [one.anatomy.layers.length]));
		return [...new Set(counts)].sort((a, b) => b - a);
	}

	/** What a step finds in each model. */
	async matches(step: Step, analysis: Analysis): Promise<readonly Seen[]> {
		const seen: Seen[] = [];
		for (const one of this.of(analysis)) {
			if ('says' in one) seen.push(one);
			else seen.push({ model: one.name, says: await foundBy(step, analysis.recipe, one) });
		}
		return seen;
	}

	/** The nodes and weights whose names a glob matches in each model. */
	names(glob: string, analysis: Analysis): readonly Seen[] {
		return this.of(analysis).map((one) =>
			'says' in one ? one : { model: one.name, says: namesFound(glob, one) },
		);
	}

	/** Frees what generated models take on the disk. */
	close(): void {
		if (this.scratch !== undefined) rmSync(this.scratch, { recursive: true, force: true });
	}

	private of(analysis: Analysis): readonly (Known | Seen)[] {
		const project = projectOf(analysis);
		if (project === undefined) return [];
		return namesFor(project, analysis).map((name) => this.attempt(name, project));
	}

	private attempt(name: string, project: Project): Known | Seen {
		try {
			this.scratch ??= mkdtempSync(join(tmpdir(), 'prunec-lsp-'));
			return this.open(name, modelPath(project, name, this.scratch));
		} catch (problem) {
			return { model: name, says: faultText(problem) };
		}
	}

	private open(name: string, path: string): Known {
		const changed = statSync(path).mtimeMs;
		const before = this.opened.get(path);
		if (before?.changed === changed) return before.known;
		const { model, file } = loadStructure(path);
		try {
			const net = buildNet(model, inferFacts(model, new Map()));
			const known = { name, net, anatomy: findAnatomy(net) };
			this.opened.set(path, { changed, known });
			return known;
		} finally {
			file.close();
		}
	}
}

/** The repository that a recipe lies in; nothing where there is none or its `prunec.yaml` is wrong, which `prunec test` says. */
function projectOf(analysis: Analysis): Project | undefined {
	try {
		return readProject(rootOf(folderOf(analysis)));
	} catch (problem) {
		if (problem instanceof Fault || problem instanceof YamlFault) return undefined;
		throw problem;
	}
}

/** The models that the recipe's tests name, else all of the repository. */
function namesFor({ file }: Project, { path }: Analysis): readonly string[] {
	const all = Object.keys(file.models ?? {});
	const tested = path === undefined ? [] : testedModels(path).filter((name) => all.includes(name));
	return (tested.length > 0 ? tested : all).slice(0, most);
}

function testedModels(path: string): string[] {
	try {
		return [...new Set((readTests(path)?.cases ?? []).map(({ model }) => model))];
	} catch (problem) {
		if (problem instanceof YamlFault) return [];
		throw problem;
	}
}

function faultText(problem: unknown): string {
	if (problem instanceof Fault) return problem.diagnostics.map(({ message }) => message).join('; ');
	throw problem;
}

async function foundBy(step: Step, recipe: Recipe | undefined, { net, anatomy }: Known): Promise<string> {
	const request: PlanRequest = {
		...{ step: unscored(step), model: net.model, net, shapes: new Map(), anatomy },
		numbering: firstNumbering(anatomy.layers.length),
		...{ protect: recipe?.protect ?? [], seed: 0 },
	};
	try {
		const technique = techniques.find(({ words }) => words.name === step.technique);
		if (technique?.words.metrics.includes('random') !== true) return scopeText(request);
		return selectedText(step, (await technique.plan(request)).plan);
	} catch (problem) {
		return faultText(problem);
	}
}

/**
 * The same statement ranked by a draw: how many go of which layer is the same with every metric, and no weights are read
 * for it. What depends on scores themselves, a condition on them or a ranking across layers, becomes the mere scope.
 */
function unscored(step: Step): Step {
	const { where, amount: _, ...rest } = step;
	const ranked = { ...rest, by: 'random' };
	if (
		(where !== undefined && readsScores(where)) ||
		step.globally ||
		(step.amount === undefined && where === undefined)
	)
		return { ...ranked, globally: false, amount: { kind: 'remove-count', count: 0 } };
	return { ...step, by: 'random' };
}

const plain = new Set(['layer', 'index', 'size']);

function readsScores(condition: Predicate): boolean {
	const reads = (term: Term): boolean =>
		term.kind === 'field'
			? !plain.has(term.name)
			: term.kind === 'arithmetic'
				? reads(term.left) || reads(term.right)
				: term.kind === 'negate' && reads(term.operand);
	switch (condition.kind) {
		case 'and':
		case 'or':
			return readsScores(condition.left) || readsScores(condition.right);
		case 'not':
			return readsScores(condition.operand);
		case 'compare':
			return reads(condition.left) || reads(condition.right);
		case 'matches':
			return false;
	}
}

function selectedText(step: Step, { selected, of, unit, removed }: StepPlan): string {
	const layers = [...new Set(removed.map(({ layer }) => layer))].sort((a, b) => a - b);
	const blocks = ['heads', 'ffn'].includes(step.target ?? '');
	const places = blocks || step.target === 'layers' ? `, ${positionsInWords('layer', layers)}` : '';
	if (selected > 0) return `${selected} of ${of} ${unit} go${places}`;
	return `${of} ${unit} to choose from`;
}

function scopeText(request: PlanRequest): string {
	const layers = layersInScope(request).map(({ given }) => given);
	return `looks at ${positionsInWords('layer', layers)} of ${request.anatomy.layers.length}`;
}

function namesFound(glob: string, { net }: Known): string {
	const { nodes, initializers } = net.model.graph;
	const names = [...nodes.map(({ name }) => name), ...initializers.keys()];
	const found = [...new Set(names.filter((name) => name !== '' && matchesGlob(glob, name)))];
	if (found.length === 0) return 'matches no name';
	const shown = found.slice(0, 4).map((name) => `\`${name}\``);
	return `matches ${found.length} of ${names.length} names: ${shown.join(', ')}${found.length > 4 ? ', …' : ''}`;
}
