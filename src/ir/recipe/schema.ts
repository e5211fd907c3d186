/** Recipes as JSON against the published schema, and ajv's errors in words. */
import { type ErrorObject, type ValidateFunction } from 'ajv';
import { bug, type Diagnostic, type Span } from '../../diagnostic.ts';
import * as messages from '../../messages/declarations.ts';
import { nearest } from '../../messages/nearest.ts';
import {
	type Calibration,
	type Evaluation,
	type Expectation,
	type Recipe,
	type Requirement,
	type Step,
} from './recipe.ts';
import { validateRecipe } from './recipe-validator.ts';
import { plainStep } from './plain-step.ts';

const validate = validateRecipe as ValidateFunction<Given>;

/** Stops at a recipe of our own making that breaks the schema. */
export function assertValid(recipe: Recipe): Recipe {
	if (!validate(recipe))
		bug('the checker made a recipe that its schema refuses', { errors: validate.errors });
	return recipe;
}

/** Reads a recipe from what JSON or YAML say; what it leaves out gets its default. `locate` places a JSON pointer in the text. */
export function readRecipeValue(
	value: unknown,
	locate: (pointer: string) => Span,
): { readonly recipe?: Recipe; readonly diagnostics: readonly Diagnostic[] } {
	if (validate(value)) return { recipe: withDefaults(value), diagnostics: [] };
	return { diagnostics: (validate.errors ?? []).filter(isCause).map((error) => complaint(error, locate)) };
}

/** A recipe as a person may write it: what the schema does not require can be absent. */
type Given = Pick<Recipe, 'schema'> &
	Partial<Omit<Recipe, 'steps' | 'inputs' | 'expectations' | 'calibrate' | 'evaluate' | 'require'>> & {
		readonly steps: readonly (Partial<Step> & Pick<Step, 'technique' | 'verb'>)[];
		readonly inputs?: readonly Partially<Recipe['inputs'][number], 'span'>[];
		readonly expectations?: readonly Partially<Expectation, 'span' | 'text'>[];
		readonly calibrate?: Partially<Calibration, 'span'>;
		readonly evaluate?: Partially<Evaluation, 'span'>;
		readonly require?: readonly Partially<Requirement, 'span' | 'text' | 'conditions'>[];
	};
type Partially<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

const nowhere = { start: 0, end: 0 };

function withDefaults(given: Given): Recipe {
	const { params = {}, inputs = [], protect = [], mayChange = [], expectations = [], ...others } = given;
	const { calibrate, evaluate, require = [], ...rest } = others;

	const steps = given.steps.map((step): Step => ({ ...plainStep(step), mayChange, ...step }));
	return {
		...rest,
		...{ params, protect, mayChange, steps },
		...(calibrate !== undefined && { calibrate: { ...{ span: nowhere }, ...calibrate } }),
		...(evaluate !== undefined && { evaluate: { ...{ span: nowhere }, ...evaluate } }),
		require: require.map((one) => {
			const whole = { conditions: [], ...one };
			return { text: requirementText(whole), span: nowhere, ...whole };
		}),
		inputs: inputs.map((input) => ({ ...{ span: nowhere }, ...input })),
		expectations: expectations.map((one) => {
			return { text: `expect ${one.subject} ${one.op} ${one.value}`, span: nowhere, ...one };
		}),
	};
}

function requirementText({ family, conditions }: Pick<Requirement, 'family' | 'conditions'>): string {
	const said = conditions.map(({ property, op, value }) => `${property} ${op} ${value}`).join(' and ');
	return `require ${[family, said].filter(Boolean).join(' with ')}`;
}

/** Errors that only repeat another one are left out. */
function isCause({ keyword }: ErrorObject): boolean {
	return keyword !== 'oneOf' && keyword !== 'if';
}

function complaint(error: ErrorObject, locate: (pointer: string) => Span): Diagnostic {
	const { keyword, instancePath, params } = error;
	const at = instancePath === '' ? 'the recipe' : `\`${instancePath.slice(1).replaceAll('/', '.')}\``;
	const extra = params['additionalProperty'] as string | undefined;
	const path =
		extra === undefined
			? instancePath
			: `${instancePath}/${extra.replaceAll('~', '~0').replaceAll('/', '~1')}`;
	const place = { span: locate(path), at: instancePath === '' ? '/' : instancePath };
	const known = Object.keys(propertiesAt(error));
	if (extra !== undefined) {
		const near = nearest(extra, known);
		const hint = near === undefined ? undefined : `\`${near}\` is the nearest spelling`;
		return messages.schemaMismatch({ problem: `${at} has no field \`${extra}\``, hint }, place);
	}
	const missing = params['missingProperty'] as string | undefined;
	if (missing !== undefined)
		return messages.schemaMismatch({ problem: `${at} lacks \`${missing}\``, hint: undefined }, place);
	return messages.schemaMismatch({ problem: `${at} ${said(keyword, error)}`, hint: allowed(error) }, place);
}

function propertiesAt({ parentSchema }: ErrorObject): object {
	return (parentSchema?.['properties'] as object | undefined) ?? {};
}

function said(keyword: string, { message = 'does not fit', params }: ErrorObject): string {
	if (keyword === 'discriminator') return `has a kind that is unknown: \`${String(params['tagValue'])}\``;
	return message;
}

function allowed({ params }: ErrorObject): string | undefined {
	const values = (params['allowedValues'] as readonly unknown[] | undefined) ?? [];
	const one: unknown = params['allowedValue'];
	const all = one === undefined ? values : [one];
	return all.length === 0 ? undefined : `allowed: ${all.map((value) => JSON.stringify(value)).join(', ')}`;
}
