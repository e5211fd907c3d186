/** `require`: whether a model is what a recipe says it is for. */
import { type Diagnostic } from '../diagnostic.ts';
import { unmetRequirement } from '../messages/plan.ts';
import { findAnatomy, type Anatomy } from './anatomy/anatomy.ts';
import { buildNet } from './axes/net.ts';
import { countParameters } from './cost.ts';
import { type Shapes } from './graph/bindings.ts';
import { inferFacts } from './graph/facts.ts';
import { subgraphs, type Graph, type Model } from './graph/graph.ts';
import { type Comparison, type Family, type Property, type Requirement } from './recipe/recipe.ts';

/** What a model has of everything that `require` can name. */
export type Traits = {
	readonly families: Readonly<Record<Family, boolean>>;
	readonly properties: Readonly<Record<Property, number>>;
};

/** One diagnostic for each requirement that the model does not meet. Nothing is looked at when nothing is required. */
export function unmetRequirements(
	requirements: readonly Requirement[],
	model: Model,
	shapes: Shapes,
): readonly Diagnostic[] {
	if (requirements.length === 0) return [];
	const traits = traitsOf(model, findAnatomy(buildNet(model, inferFacts(model, shapes))));
	return requirements.flatMap((one) => complaint(one, traits) ?? []);
}

/** Heads are those of the layer that has most. */
export function traitsOf(model: Model, { layers }: Anatomy): Traits {
	const attentions = layers.flatMap(({ blocks }) => blocks.filter(({ kind }) => kind === 'attention'));
	const operators = operatorsOf(model.graph);
	const has = (pattern: RegExp): boolean => [...operators].some((op) => pattern.test(op));
	return {
		families: {
			transformer: attentions.length > 0,
			convolutional: has(/^(Conv|FusedConv|ConvInteger|QLinearConv|NhwcConv)$/),
			recurrent: has(/^(LSTM|GRU|RNN|DynamicQuantizeLSTM)$/),
		},
		properties: {
			opset: model.opsets.get('') ?? 0,
			layers: layers.length,
			heads: Math.max(0, ...attentions.map(({ units }) => units)),
			params: countParameters(model.graph),
		},
	};
}

/** Names of the operators, those in bodies included. */
function operatorsOf(graph: Graph): Set<string> {
	const inner = graph.nodes.flatMap((node) => [...subgraphs(node)].flatMap((body) => [...operatorsOf(body)]));
	return new Set([...graph.nodes.map(({ op }) => op), ...inner]);
}

const holds: Readonly<Record<Comparison, (found: number, asked: number) => boolean>> = {
	'<': (found, asked) => found < asked,
	'<=': (found, asked) => found <= asked,
	'>': (found, asked) => found > asked,
	'>=': (found, asked) => found >= asked,
	'==': (found, asked) => found === asked,
	'!=': (found, asked) => found !== asked,
};

function complaint({ text, family, conditions, span }: Requirement, traits: Traits): Diagnostic | undefined {
	const { families, properties } = traits;
	const missed = conditions.filter(({ property, op, value }) => !holds[op](properties[property], value));
	const isOther = family !== undefined && !families[family];
	if (!isOther && missed.length === 0) return undefined;
	const found = missed.map(({ property }) => ({ property, value: properties[property] }));
	const kinds = (Object.keys(families) as Family[]).filter((one) => families[one]);
	return unmetRequirement({ text, found, kinds, family: isOther ? family : undefined }, { span });
}
