/**
 * The published schema as a function. In a checkout ajv compiles it when this file is loaded; the command-line bundle holds
 * the code that ajv writes for it instead, because start-up is felt (scripts/bundle.ts does so with every `*-validator.ts`).
 */
import { Ajv } from 'ajv';
import { recipeSchema } from './recipe-schema.ts';

export const ajv = new Ajv({
	strict: true,
	// The branches of a discriminated union require what they share with their parent.
	strictRequired: false,
	allErrors: true,
	discriminator: true,
	// The value of a parameter is a number or a text.
	allowUnionTypes: true,
	validateSchema: false,
	code: { source: true, esm: true },
	inlineRefs: false,
});

export const validateRecipe = ajv.compile(recipeSchema);
